using System.Text.Json;
using System.Text.Json.Serialization;
using Mirror.Leadership.Core;
using Mirror.Leadership.Voting;

namespace Mirror.Leadership.Membership;

/// <summary>A holding as it travels: compact JSON. What it does not know it skips, so that members of two versions understand each other; what makes no sense is no holding.</summary>
internal static partial class HoldingText
{
    public const int Longest = 32 * 1024;
    private const int LongestSentence = 1000;
    private const int LongestAddress = 500;
    private const int MostProcesses = 100;

    public static string Write(SiteHolding holding) => JsonSerializer.Serialize(
        new Text(
            holding.Site, holding.Node, (int)holding.Role, holding.Epoch, Pair(holding.Stored), Pair(holding.Verified), Pair(holding.Warm), Pair(holding.Base),
            holding.AppAddress, holding.NewestTime?.UtcTicks, Cut(holding.Sentence, LongestSentence), [.. holding.ProcessIds.Take(MostProcesses)],
            holding.IsProtected ? null : true, holding.Consistent == default ? null : Pair(holding.Consistent),
            holding.HeldBack?.Order is { Number: > 0 } order ? new Word(order.Number, order.Paused, order.Acknowledged, OrderText.Cut(order.By, OrderText.LongestName), OrderText.Cut(order.Reason, OrderText.LongestReason)) : null,
            holding.HeldBack?.BlockedUntil?.UtcTicks),
        HoldingFormat.Default.Text);

    /// <summary>Null when the text is no holding of that node and site.</summary>
    public static SiteHolding? Read(string text, string site, string node)
    {
        if (text.Length > Longest)
        {
            return null;
        }

        try
        {
            var read = JsonSerializer.Deserialize(text, HoldingFormat.Default.Text);
            if (read is null || read.Site != site || read.Node != node || !Enum.IsDefined((SiteRole)read.Role)
                || Position(read.Stored) is not { } stored || Position(read.Verified) is not { } verified || Position(read.Warm) is not { } warm || Position(read.Base) is not { } from
                || Position(read.Consistent ?? [0, 0]) is not { } consistent || read.Time < DateTimeOffset.MinValue.Ticks || read.Time > DateTimeOffset.MaxValue.Ticks || read.App?.Length > LongestAddress)
            {
                return null;
            }

            DateTimeOffset? time = read.Time is { } ticks ? new DateTimeOffset(ticks, TimeSpan.Zero) : null;
            return new(site, node, (SiteRole)read.Role, read.Epoch, stored, verified, warm, read.App, time, Cut(read.Sentence ?? "", LongestSentence), [.. (read.Pids ?? []).Take(MostProcesses)])
            {
                Base = from,
                IsProtected = read.Unprotected != true,
                Consistent = consistent,
                HeldBack = HeldBackOf(read),
            };
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static HeldBack? HeldBackOf(Text read)
    {
        DateTimeOffset? until = read.Blocked is { } ticks and >= 0 && ticks <= DateTimeOffset.MaxValue.Ticks ? new DateTimeOffset(ticks, TimeSpan.Zero) : null;
        var order = read.Order is { } word
            ? new FailoverOrder(word.Number, word.Paused, word.Acknowledged, Cut(word.By ?? "", OrderText.LongestName), Cut(word.Reason ?? "", OrderText.LongestReason))
            : FailoverOrder.None;
        return order.Number > 0 || until is not null ? new(order, until) : null;
    }

    private static ulong[] Pair(Position position) => [position.Epoch, position.Sequence];

    private static Position? Position(ulong[]? pair) => pair is [var epoch, var sequence] ? new Position(epoch, sequence) : null;

    private static string Cut(string text, int longest) => text.Length <= longest ? text : text[..longest];

    internal sealed record Text(
        string? Site, string? Node, int Role, ulong Epoch, ulong[]? Stored, ulong[]? Verified, ulong[]? Warm, ulong[]? Base, string? App, long? Time, string? Sentence, int[]? Pids,
        bool? Unprotected, ulong[]? Consistent, Word? Order, long? Blocked);

    internal sealed record Word(ulong Number, bool Paused, ulong Acknowledged, string? By, string? Reason);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
    [JsonSerializable(typeof(Text))]
    private sealed partial class HoldingFormat : JsonSerializerContext;
}
