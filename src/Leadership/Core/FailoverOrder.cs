namespace Mirror.Leadership.Core;

/// <summary>
/// What operators said last about automatic failover of a site. Each word has a number, and the highest counts. The voters remember it with their votes: what a majority of them was told, no
/// automatic failover gets by, whoever was down or cut off at the time.
/// </summary>
/// <param name="Number">0: nobody said anything yet.</param>
/// <param name="Paused">Nothing moves by itself until the next word.</param>
/// <param name="Acknowledged">Failovers up to this epoch are known to people, and hold back no further one.</param>
public sealed record FailoverOrder(ulong Number, bool Paused, ulong Acknowledged, string By, string Reason)
{
    public static FailoverOrder None { get; } = new(0, false, 0, "", "");
}
