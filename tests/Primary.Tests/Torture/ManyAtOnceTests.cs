using System.Globalization;
using Mirror.Store.Manifests;
using Mirror.Testing;

namespace Mirror.Primary.Tests.Torture;

/// <summary>What comes faster than anybody can set a watch on it.</summary>
public sealed class ManyAtOnceTests
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);

    /// <summary>A directory, a file in it, a directory in that, a file in that: all within a fraction of a millisecond, ten thousand times.</summary>
    [Fact]
    public async Task A_directory_that_is_filled_the_moment_it_is_made_arrives_whole_every_time()
    {
        // MIRROR_LONG=1 does it as often as it takes to be sure.
        var many = System.Environment.GetEnvironmentVariable("MIRROR_LONG") == "1" ? 10_000 : 2_000;
        using var limit = new CancellationTokenSource(patience);
        await using var site = await LiveSite.MakeAsync();
        site.Write("first", "here");
        await using var role = await site.EnterAsync();
        for (var number = 0; number < many; number++)
        {
            var directory = Path.Combine(site.Root, string.Create(CultureInfo.InvariantCulture, $"d{number}"));
            RawCalls.MakeDirectory(directory);
            File.WriteAllText(directory + "/file", "x");
            RawCalls.MakeDirectory(directory + "/inner");
            File.WriteAllText(directory + "/inner/file", "y");
        }

        site.Write("last of all", "here");
        var last = EntryPath.Parse("last of all");
        while (true)
        {
            var seen = role.Newest?.Id ?? default;
            if (site.Store.HeadManifest.Find(last) is not null)
            {
                break;
            }

            await role.NewerThanAsync(seen, limit.Token);
        }

        var manifest = site.Store.HeadManifest;
        var missing = Enumerable.Range(0, many)
            .SelectMany(static number => new[] { $"d{number}", $"d{number}/file", $"d{number}/inner", $"d{number}/inner/file" })
            .Where(path => manifest.Find(EntryPath.Parse(path)) is null).ToList();
        Assert.True(missing.Count == 0, $"{missing.Count} of {4 * many} entries were missed: {string.Join(", ", missing.Take(20))}");
        Assert.Null(await role.CaptureAsync(allowMassDelete: false, limit.Token));
    }
}
