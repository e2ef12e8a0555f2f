using System.Net;
using Microsoft.Data.Sqlite;

namespace Wiki.Tests;

/// <summary>The wiki as something to be run: health, stopping, and what it does when it cannot write.</summary>
public sealed class ServiceTests : WikiTest
{
    [Fact]
    public async Task Health_looks_at_the_pages_and_at_the_database()
    {
        await using var wiki = await WikiProcess.StartAsync(Root);
        Directory.Move(PathOf("pages"), PathOf("gone"));
        using var noPages = await wiki.GetAsync("/healthz");
        Directory.Move(PathOf("gone"), PathOf("pages"));
        using var well = await wiki.GetAsync("/healthz");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, noPages.StatusCode);
        Assert.Equal("the directory of pages is missing\n", await noPages.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.OK, well.StatusCode);
        await wiki.StopAsync();

        await File.WriteAllBytesAsync(PathOf("data", "wiki.db"), new byte[8192]);
        await Assert.ThrowsAnyAsync<Exception>(() => WikiProcess.StartAsync(Root));
    }

    [Fact]
    public async Task Views_are_counted_and_kept_over_a_restart()
    {
        await using (var wiki = await WikiProcess.StartAsync(Root))
        {
            await wiki.AppendAsync("Home", "hello");
            await wiki.TextAsync("/pages/Home");
            await wiki.TextAsync("/pages/Home");
            Assert.Equal(0, await wiki.StopAsync());
        }

        await using var again = await WikiProcess.StartAsync(Root);
        Assert.Contains("3 views", await again.TextAsync("/pages/Home"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task While_somebody_holds_the_database_reading_works_and_saving_is_refused_honestly()
    {
        await using var wiki = await WikiProcess.StartAsync(Root);
        await wiki.AppendAsync("Home", "hello");
        await using var database = new SqliteConnection($"Data Source={PathOf("data", "wiki.db")};Pooling=False");
        database.Open();
        await using (var held = database.BeginTransaction(deferred: false))
        {
            Assert.Contains("hello", await wiki.TextAsync("/pages/Home"), StringComparison.Ordinal);
            using var refused = await wiki.Http.PostAsync(new Uri("/api/pages/Home/append", UriKind.Relative), new StringContent("no"));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.NotNull(refused.Headers.RetryAfter);
        }

        Assert.Equal((1, "hello\n"), await wiki.ReadAsync("Home"));
        Assert.Equal(2, await wiki.AppendAsync("Home", "yes"));
    }

    [RootFact]
    public async Task On_a_read_only_file_system_it_starts_is_healthy_and_reads()
    {
        await using (var wiki = await WikiProcess.StartAsync(Root))
        {
            await wiki.AppendAsync("Home", "hello");
            await wiki.StopAsync();
        }

        const string readOnly = """mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@" """;
        await using var standby = await WikiProcess.StartAsync(Root, "unshare", "--mount", "sh", "-c", readOnly, Root);

        Assert.Contains("hello", await standby.TextAsync("/pages/Home"), StringComparison.Ordinal);
        using var refused = await standby.Http.PostAsync(new Uri("/api/pages/Home/append", UriKind.Relative), new StringContent("no"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Contains("hello", await standby.TextAsync("/pages/Home"), StringComparison.Ordinal);
        Assert.Equal(0, await standby.StopAsync());
    }
}

/// <summary>Needs root, for a mount namespace.</summary>
internal sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            Skip = "needs root";
        }
    }
}
