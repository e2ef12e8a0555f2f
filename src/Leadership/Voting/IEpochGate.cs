namespace Mirror.Leadership.Voting;

/// <summary>The highest epoch seen per site, on disk (fsync): every receiver refuses lower ones, also after a restart.</summary>
public interface IEpochGate
{
    ulong Highest(string site);

    /// <summary>False when the epoch is lower than the highest seen (or absurdly higher); otherwise remembers it, durably before returning.</summary>
    bool Admit(string site, ulong epoch);
}
