using System.Diagnostics;
using System.Text;
using Mirror.Store.Manifests;
using Mirror.Testing;

namespace Mirror.Primary.Tests.Capture.Ignore;

/// <summary>A test that asks git itself. Skipped, with the reason, where there is none.</summary>
public sealed class GitFactAttribute : FactAttribute
{
    public GitFactAttribute()
    {
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(directory => File.Exists(Path.Combine(directory, "git"))))
        {
            Skip = "Needs git, to compare with.";
        }
    }
}

/// <summary>An empty repository with files in it, and what <c>git check-ignore</c> says of them.</summary>
internal sealed class GitCheckIgnore : IDisposable
{
    private readonly TemporaryDirectory files = new();

    public GitCheckIgnore() => Shell.Run("git init -q \"$1\" && rm -rf \"$1\"/.git/hooks", files.Path);

    public string Root => files.Path;

    /// <summary>For each path: the number of the pattern that decides, counted from 0; -1 for none.</summary>
    public int[] Decide(IReadOnlyList<byte[]> patterns, IReadOnlyList<EntryPath> paths)
    {
        File.WriteAllBytes(files[".git/info/exclude"], [.. patterns.SelectMany(pattern => pattern.Append((byte)'\n'))]);
        var start = new ProcessStartInfo(
            "git", ["-C", files.Path, "-c", "core.excludesFile=/dev/null", "-c", "core.ignoreCase=false", "check-ignore", "--no-index", "--stdin", "-z", "-v", "-n"])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment["GIT_CONFIG_NOSYSTEM"] = "1";
        using var git = Process.Start(start)!;
        var output = new MemoryStream();
        var reading = git.StandardOutput.BaseStream.CopyToAsync(output);
        var errors = git.StandardError.ReadToEndAsync();
        foreach (var path in paths)
        {
            git.StandardInput.BaseStream.Write([.. path.Bytes, 0]);
        }

        git.StandardInput.Close();
        git.WaitForExit();
        reading.GetAwaiter().GetResult();
        Assert.True(git.ExitCode is 0 or 1, errors.GetAwaiter().GetResult());

        // For each path: source, line, pattern, path; each ended by a NUL.
        var fields = Encoding.Latin1.GetString(output.ToArray()).Split('\0');
        Assert.Equal((paths.Count * 4) + 1, fields.Length);
        return [.. Enumerable.Range(0, paths.Count).Select(i => fields[(i * 4) + 1].Length == 0 ? -1 : int.Parse(fields[(i * 4) + 1]) - 1)];
    }

    public void Dispose() => files.Dispose();
}
