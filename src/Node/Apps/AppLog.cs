using System.Text;

namespace Mirror.Node.Apps;

/// <summary>The file an app's output is appended to. It is put aside when it has grown, between two starts and never under a writer.</summary>
internal sealed class AppLog
{
    private const long RotateAt = 10 << 20;
    private const int TailLines = 20;
    private const int TailBytes = 16 << 10;

    private readonly long _begin;

    private AppLog(string path, long begin)
    {
        Path = path;
        _begin = begin;
    }

    public string Path { get; }

    /// <summary>Prepares the log for a start: makes its directory, and renames one of more than 10 MiB to <c>.1</c>.</summary>
    public static AppLog Open(string state, string site, string app)
    {
        var path = System.IO.Path.Combine(state, "logs", site, app + ".log");
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        var file = new FileInfo(path);
        if (file.Exists && file.Length > RotateAt)
        {
            File.Move(path, path + ".1", overwrite: true);
            file.Refresh();
        }

        return new(path, file.Exists ? file.Length : 0);
    }

    /// <returns>The last lines written since <see cref="Open"/>.</returns>
    public string Tail()
    {
        if (!File.Exists(Path))
        {
            return "";
        }

        using var file = new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        file.Position = Math.Max(Math.Min(_begin, file.Length), file.Length - TailBytes);
        var buffer = new byte[TailBytes];
        var count = file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        var lines = Encoding.UTF8.GetString(buffer, 0, count).TrimEnd().Split('\n');
        return string.Join('\n', lines.TakeLast(TailLines));
    }
}
