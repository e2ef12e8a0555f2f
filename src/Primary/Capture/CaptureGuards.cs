using System.Globalization;
using Mirror.Node.Configuration;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Capture;

/// <summary>
/// What stops a capture rather than mirroring a disaster: a root whose marker is missing (a disk that is not mounted), a root that is empty now, and more gone at once than anybody
/// deletes on purpose.
/// </summary>
/// <param name="MassDelete">Share of the entries that may be gone at once.</param>
/// <param name="Marker">A path below the root that must be there; null when nothing tells.</param>
public sealed record CaptureGuards(double MassDelete, EntryPath? Marker)
{
    /// <summary>A small site may well lose half of its files on purpose.</summary>
    private const int FewEntries = 100;
    private const int Shown = 3;

    public static CaptureGuards Usual { get; } = new(0.5, null);

    public static CaptureGuards For(FilesConfig files) => new(files.MassDelete, files.Marker is { } marker ? EntryPath.Parse(marker) : null);

    /// <summary>Before a tree is looked at, and after: a disk can go in between.</summary>
    /// <exception cref="CaptureException">The marker is missing, or could not be in any version.</exception>
    internal void RequireMounted(string root, PathFilter filter)
    {
        if (Marker is { } left && filter.Excludes(left, EntryType.File))
        {
            throw new CaptureException(
                $"The marker {left} is left out of versions, so a replica that takes over would lack it and capture nothing. Change `files.exclude` (`mirror ignore explain {left}`), or choose another `files.marker`.");
        }

        try
        {
            if (Marker is not { } marker || TreeScanner.Stat(root, marker) is not null)
            {
                return;
            }

            throw new CaptureException(
                $"{root}/{marker} is not there, so {root} looks like a mount point without its disk. Nothing was captured and nothing is taken for deleted. Mount the disk; or, if all is " +
                $"well, make the marker (`touch {root}/{marker}`), or remove `files.marker` from the configuration.");
        }
        catch (DirectoryNotFoundException)
        {
            // The walk says it better.
        }
    }

    /// <summary>True when that many may be missing of so many.</summary>
    internal bool Tolerates(int missing, int entries) => entries < FewEntries || missing <= entries * MassDelete;

    /// <param name="missing">Entries that were captured and are not there.</param>
    /// <param name="emptied">Nothing of the site is left, however small it was.</param>
    internal CaptureException Refusal(string root, int entries, IReadOnlyCollection<Entry> missing, bool emptied)
    {
        // The highest ones say most.
        var names = missing.Select(static entry => entry.Path).OrderBy(static path => path.Bytes.Count((byte)'/')).Take(Shown).Select(static path => path.ToString());
        var why = emptied ? "nothing is left" : $"more than {(MassDelete * 100).ToString("0", CultureInfo.InvariantCulture)}%";
        return new CaptureException(
            $"{missing.Count} of {entries} entries of {root} are gone ({string.Join(", ", names)}{(missing.Count > Shown ? ", …" : "")}; {why}). That looks like an unmounted disk or an accident, " +
            "so nothing was captured. If it is meant, capture once with --allow-mass-delete (`mirror capture`, `mirror save`); if it happens often, raise `files.mass-delete`.");
    }
}
