using System.Globalization;
using Mirror.Testing;

namespace Mirror.Scenarios.Databases;

/// <summary>
/// An app that keeps files beside a database, in the order that any backup wants: first the file, then the row that speaks of it. Dumps are made before the files are read, so whatever row is in the dump of
/// a version, its file is in the same version. There may be files whose rows came too late. (Who deletes must delete the row first, and the file a while later: see "Files and databases of one version" in docs/operations.md.)
/// </summary>
internal sealed class Uploads(string root, Func<long, Task> insert) : IDisposable
{
    private const string directory = "uploads";

    /// <summary>So that a site does not outgrow the test: uploads for each version that is asked for.</summary>
    private const int perVersion = 300;

    private readonly SemaphoreSlim allowed = new(perVersion);

    public static void Prepare(string root) => Directory.CreateDirectory(Path.Combine(root, directory));

    /// <summary>Another version is wanted: the site changes again.</summary>
    public void GoOn() => allowed.Release(perVersion);

    public async Task<long> RunAsync(CancellationToken stop)
    {
        for (long token = 1; ; token++)
        {
            try
            {
                await allowed.WaitAsync(stop);
            }
            catch (OperationCanceledException)
            {
                return token - 1;
            }

            var path = PathOf(root, token);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllTextAsync(path + ".part", Content(token), CancellationToken.None);
            RawCalls.Rename(path + ".part", path);
            await insert(token);
        }
    }

    /// <summary>Files and database of a version agree.</summary>
    /// <param name="rows">What the version's database says it has.</param>
    /// <returns>How many files came before their rows.</returns>
    public static int Check(string tree, IReadOnlyCollection<long> rows, string what)
    {
        foreach (var row in rows)
        {
            var path = PathOf(tree, row);
            Assert.True(File.Exists(path), $"{what}: the database speaks of upload {row}, and there is no such file");
            Assert.Equal(Content(row), File.ReadAllText(path));
        }

        return Directory.GetFiles(Path.Combine(tree, directory), "*", SearchOption.AllDirectories).Count(static path => !path.EndsWith(".part", StringComparison.Ordinal)) - rows.Count;
    }

    public void Dispose() => allowed.Dispose();

    // In directories of a hundred, as such apps do: new ones come while the site is captured.
    private static string PathOf(string root, long token) =>
        Path.Combine(root, directory, string.Create(CultureInfo.InvariantCulture, $"{token / 100}"), string.Create(CultureInfo.InvariantCulture, $"{token}"));

    private static string Content(long token) => string.Create(CultureInfo.InvariantCulture, $"upload {token}\n");
}
