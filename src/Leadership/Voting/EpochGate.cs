using System.Globalization;
using Mirror.Leadership.Core;

namespace Mirror.Leadership.Voting;

/// <summary>The highest epoch seen per site, one checked file each. Refuses to go on when such a file is damaged: without its memory a receiver would let a stale primary in.</summary>
public sealed class EpochGate(string directory) : IEpochGate
{
    private const string Kind = "mirror epoch 1";
    private readonly Lock guard = new();
    private readonly Dictionary<string, ulong> highest = [];

    /// <summary>A receiver's rule: nothing older than the newest it has seen, and nothing so far beyond it that the numbers would be burnt.</summary>
    internal static bool Admits(ulong known, ulong epoch) => epoch >= known && epoch - known <= Voter.LongestJump;

    /// <exception cref="DamagedFileException">Says which file.</exception>
    public ulong Highest(string site)
    {
        lock (guard)
        {
            return Load_NeedsLock(site);
        }
    }

    /// <exception cref="DamagedFileException">Says which file.</exception>
    /// <exception cref="IOException">The epoch could not be made durable; it is not admitted.</exception>
    public bool Admit(string site, ulong epoch)
    {
        lock (guard)
        {
            var known = Load_NeedsLock(site);
            if (!Admits(known, epoch))
            {
                return false;
            }

            if (epoch > known)
            {
                FileOf(site).Write(epoch.ToString(CultureInfo.InvariantCulture));
                highest[site] = epoch;
            }

            return true;
        }
    }

    private ulong Load_NeedsLock(string site)
    {
        if (!highest.TryGetValue(site, out var known))
        {
            var file = FileOf(site);
            var content = file.Read();
            if (content is not null && !ulong.TryParse(content, NumberStyles.None, CultureInfo.InvariantCulture, out known))
            {
                throw new DamagedFileException(file.Path, "it holds no epoch");
            }

            highest[site] = known;
        }

        return known;
    }

    private CheckedFile FileOf(string site) => new(Path.Combine(directory, site), Kind);
}
