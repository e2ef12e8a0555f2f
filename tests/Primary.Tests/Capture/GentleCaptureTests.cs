using System.Globalization;
using Microsoft.Data.Sqlite;
using Mirror.Node.Configuration;
using Mirror.Store.Manifests;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Capture;

/// <summary><c>capture: nice, io</c> of Mirror's own part of a capture, by what the kernel says of each thread.</summary>
public sealed class GentleCaptureTests
{
    private const int Files = 60;
    private const int Small = 40_000;
    private const int Large = 6 << 20;
    private const int Rows = 4_000_000;

    [Fact]
    public async Task The_tree_is_read_and_sqlite_dumped_by_gentle_threads_alone()
    {
        var tree = Enumerable.Range(0, Files).Aggregate(TreeLiteral.Empty, (so, number) => so.File($"d{number % 5}/{number}", LiveSite.Noise(number, Small)));
        await using var site = await LiveSite.MakeAsync(tree.File("large", LiveSite.Noise(-1, Large)), database: "pages.db");
        MakeDatabase(Path.Combine(site.Root, "pages.db"));
        await using var role = await site.EnterAsync(capture: CaptureConfig.Default with { OnChange = false, Nice = 7, Io = IoPriority.Idle });

        var gentle = Threads().Where(static thread => thread.Name.StartsWith("capture wiki", StringComparison.Ordinal)).ToList();

        Assert.NotEmpty(gentle);
        Assert.All(gentle, thread => Assert.Equal(Math.Min(NiceOf("/proc/self/stat") + 7, 19), thread.Nice));
        var read = gentle.Sum(static thread => thread.Read);
        Assert.True(read >= (Files * Small) + Large + Rows, $"{read} bytes were read by gentle threads");
        Assert.NotNull(site.Store.HeadManifest.Find(EntryPath.Parse("large")));

        // Changed files too, in the middle of a delta.
        var bytes = LiveSite.Noise(-1, Large);
        bytes[Large / 2] ^= 1;
        File.WriteAllBytes(Path.Combine(site.Root, "large"), bytes);
        Assert.NotNull(await role.CaptureAsync(false, CancellationToken.None));
        var more = Threads().Where(static thread => thread.Name.StartsWith("capture wiki", StringComparison.Ordinal)).Sum(static thread => thread.Read) - read;
        Assert.True(more >= Large, $"{more} bytes were read by gentle threads");
    }

    private static void MakeDatabase(string file)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Pooling = false }.ConnectionString);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "create table pages (text); insert into pages values (randomblob($length))";
        command.Parameters.AddWithValue("$length", Rows);
        command.ExecuteNonQuery();
    }

    private static IEnumerable<(string Name, int Nice, long Read)> Threads()
    {
        foreach (var thread in Directory.GetDirectories("/proc/self/task"))
        {
            (string, int, long) found;
            try
            {
                var read = File.ReadLines($"{thread}/io").First(static line => line.StartsWith("rchar: ", StringComparison.Ordinal));
                found = (File.ReadAllText($"{thread}/comm"), NiceOf($"{thread}/stat"), long.Parse(read["rchar: ".Length..], CultureInfo.InvariantCulture));
            }
            catch (Exception ended) when (ended is IOException or UnauthorizedAccessException)
            {
                continue;
            }

            yield return found;
        }
    }

    // The nineteenth field; the second is the name, in brackets, which may hold blanks.
    private static int NiceOf(string stat)
    {
        var text = File.ReadAllText(stat);
        return int.Parse(text[(text.LastIndexOf(')') + 2)..].Split(' ')[16], CultureInfo.InvariantCulture);
    }
}
