using System.Globalization;
using System.Text;
using Mirror.Store.Packs;

namespace Mirror.Primary.Schedule;

/// <summary>Until when, and in which epoch, a site's schedule was kept here: by it a node that was down knows what it missed. One line in a file, replaced whole.</summary>
internal sealed class ScheduleMark(string path)
{
    private const string kind = "mirror schedule 1";
    private const int longest = 256;

    /// <summary>Null when nothing is known: there is no file, or not one this could have written.</summary>
    public (ulong Epoch, DateTimeOffset Kept)? Read()
    {
        if (!File.Exists(path))
        {
            return null;
        }

        using var file = File.OpenRead(path);
        if (file.Length > longest)
        {
            return null;
        }

        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return Encoding.UTF8.GetString(bytes).Split('\n') is [kind, var epochText, var keptText, ""]
            && ulong.TryParse(epochText, NumberStyles.None, CultureInfo.InvariantCulture, out var epoch)
            && DateTimeOffset.TryParseExact(keptText, "O", CultureInfo.InvariantCulture, DateTimeStyles.None, out var kept)
            ? (epoch, kept)
            : null;
    }

    public void Write(ulong epoch, DateTimeOffset kept)
    {
        var pending = path + ".tmp";
        File.WriteAllText(pending, string.Create(CultureInfo.InvariantCulture, $"{kind}\n{epoch}\n{kept:O}\n"));
        PackFile.Publish(pending, path);
    }
}
