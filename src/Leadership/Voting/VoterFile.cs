using System.Text.Json;
using System.Text.Json.Serialization;
using Mirror.Leadership.Core;

namespace Mirror.Leadership.Voting;

/// <summary>A voter's memory of one site on disk: all of it but the times left, which no restart could measure.</summary>
internal sealed partial class VoterFile(string path)
{
    private const string Kind = "mirror vote 1";

    // A day: a configuration allows minutes.
    private const long LongestLeaseMs = 24 * 60 * 60 * 1000;
    private readonly CheckedFile file = new(path, Kind);

    public string Path => path;

    /// <summary>Null when this voter never granted anything.</summary>
    /// <exception cref="DamagedFileException">Says which file.</exception>
    public VoterState? Load(SiteRules rules, TimeSpan now)
    {
        var content = file.Read();
        if (content is null)
        {
            return null;
        }

        Memory? memory;
        try
        {
            memory = JsonSerializer.Deserialize(content, Format.Default.Memory);
        }
        catch (JsonException malformed)
        {
            throw new DamagedFileException(path, malformed.Message);
        }

        // Without a vote there is only what operators said before the first one.
        if (memory is null || (memory.Epoch == 0 ? memory.Order is null || memory.Holder.Length > 0 : memory.Holder.Length == 0) || memory.LeaseMs is < 0 or > LongestLeaseMs)
        {
            throw new DamagedFileException(path, "it names no epoch and holder, or no possible lease");
        }

        var promised = TimeSpan.FromMilliseconds(memory.LeaseMs);
        return new VoterState(memory.Epoch, memory.Epoch == 0 ? null : memory.Holder, memory.GivenBack, memory.Successor, promised, now)
        {
            Primary = memory.Primary,
            NotWon = memory.NotWon,
            FailedOverIn = memory.FailedOverIn,
            Voters = memory.Voters,
            Order = memory.Order is { } word ? new(word.Number, word.Paused, word.Acknowledged, word.By, word.Reason) : FailoverOrder.None,
        }.Restarted(rules, now);
    }

    public void Save(VoterState state) => file.Write(JsonSerializer.Serialize(
        new Memory(state.Epoch, state.Holder ?? "", state.GivenBack, state.Successor, (long)Math.Ceiling(state.Promised.TotalMilliseconds))
        {
            Primary = state.Primary,
            NotWon = state.NotWon,
            FailedOverIn = state.FailedOverIn,
            Voters = state.Voters,
            Order = state.Order is { Number: > 0 } order ? new(order.Number, order.Paused, order.Acknowledged, order.By, order.Reason) : null,
        }, Format.Default.Memory));

    private sealed record Memory(ulong Epoch, string Holder, bool GivenBack, string? Successor, long LeaseMs)
    {
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
        public string? Primary { get; init; }

        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
        public bool NotWon { get; init; }

        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
        public ulong FailedOverIn { get; init; }

        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
        public string? Voters { get; init; }

        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
        public Word? Order { get; init; }
    }

    private sealed record Word(ulong Number, bool Paused, ulong Acknowledged, string By, string Reason);

    [JsonSourceGenerationOptions(
        PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true)]
    [JsonSerializable(typeof(Memory))]
    private sealed partial class Format : JsonSerializerContext;
}
