using System.Globalization;

namespace Mirror.Proxy.Routing;

/// <summary>
/// The highest epoch seen of each site, kept across restarts: a proxy that starts during a partition must not believe
/// a primary whose reign it has already seen end. One small file a site, replaced by rename after it was synced.
/// </summary>
internal sealed class EpochFile(string directory)
{
    private const int LongestFile = 32;

    public ulong Read(string site)
    {
        var path = PathOf(site);
        if (!File.Exists(path))
        {
            return 0;
        }

        var text = new FileInfo(path).Length <= LongestFile ? File.ReadAllText(path).Trim() : "";
        return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var epoch)
            ? epoch
            : throw new InvalidDataException(
                $"{path} should hold the highest epoch seen of site '{site}', a number, and does not. Compare with `mirror status`, write the number, and start again.");
    }

    public void Write(string site, ulong epoch)
    {
        Directory.CreateDirectory(directory);
        var path = PathOf(site);
        var draft = path + ".new";
        using (var file = new FileStream(draft, FileMode.Create, FileAccess.Write))
        {
            file.Write(System.Text.Encoding.ASCII.GetBytes(epoch.ToString(CultureInfo.InvariantCulture)));
            file.Flush(flushToDisk: true);
        }

        File.Move(draft, path, overwrite: true);
    }

    private string PathOf(string site) => Path.Combine(directory, Uri.EscapeDataString(site) + ".epoch");
}
