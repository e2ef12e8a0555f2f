using System.Text.Json;
using System.Text.Json.Serialization;

namespace Mirror.Node.Consul;

/// <summary>
/// What stands in the key of a site's lock: who holds or held it, and the newest version that was ever called consistent. Both outlive the lock: whoever takes it next reads there what it must
/// have, and whether it was given back or lost.
/// </summary>
/// <param name="Holder">Node that took the lock last.</param>
/// <param name="Offset">The epoch is this and Consul's LockIndex. More than 0 when the site had epochs before it had this key.</param>
/// <param name="Epoch">Of <paramref name="Sequence"/>: the newest consistent version; 0 and 0 when there is none.</param>
/// <param name="GivenBack">The holder will not use it any more: nobody need wait.</param>
/// <param name="Successor">When given back: only this node may take it, for one lease.</param>
public sealed partial record LockRecord(string Holder, ulong Offset, ulong Epoch, ulong Sequence, bool GivenBack, string? Successor)
{
    private const string Kind = "mirror lock 1";
    private const int Longest = 4096;

    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(new Text(Kind, Holder, Offset, [Epoch, Sequence], GivenBack, Successor), LockFormat.Default.Text);

    /// <summary>Null when somebody else wrote it: then it says nothing.</summary>
    public static LockRecord? Read(ReadOnlySpan<byte> value)
    {
        if (value.Length > Longest)
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(value, LockFormat.Default.Text) is { Kind: Kind, Holder.Length: > 0, Consistent: [var epoch, var sequence] } read
                ? new(read.Holder, read.Offset, epoch, sequence, read.GivenBack, read.Successor)
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    internal sealed record Text(string Kind, string Holder, ulong Offset, ulong[] Consistent, bool GivenBack, string? Successor);

    [JsonSourceGenerationOptions(
        PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true)]
    [JsonSerializable(typeof(Text))]
    private sealed partial class LockFormat : JsonSerializerContext;
}

/// <summary>A lock that is held: with this and the right to write the key, anybody can free it, which is what a guard does for its dead node.</summary>
/// <param name="Service">Id of the site's service at the agent, which answers for the primary; gone with the reign.</param>
public sealed record HeldLock(ConsulAgent Agent, string Key, string Session, string Service);
