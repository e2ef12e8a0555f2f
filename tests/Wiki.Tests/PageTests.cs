using System.Net;

namespace Wiki.Tests;

public sealed class PageTests : WikiTest
{
    [Fact]
    public async Task A_saved_page_is_shown_listed_kept_in_the_history_and_in_the_recent_edits()
    {
        await using var wiki = await WikiProcess.StartAsync(Root);

        using var first = await wiki.PostFormAsync("/pages/Home", ("text", "# Hello\r\nSee [[Other_page]] and `code`.\r\n- **one**\r\n- _two_"), ("revision", "0"));
        using var second = await wiki.PostFormAsync("/pages/Home", ("text", "Short."), ("revision", "1"));

        Assert.Equal(HttpStatusCode.Redirect, first.StatusCode);
        Assert.Equal("/pages/Home", first.Headers.Location!.ToString());
        Assert.Equal("Short.", await File.ReadAllTextAsync(PathOf("pages", "Home.md")));
        Assert.Equal("# Hello\nSee [[Other_page]] and `code`.\n- **one**\n- _two_", await File.ReadAllTextAsync(PathOf("history", "Home", "000001.md")));
        Assert.Equal("Short.", await File.ReadAllTextAsync(PathOf("history", "Home", "000002.md")));
        var old = await wiki.TextAsync("/pages/Home/history/1");
        Assert.Contains("<h1>Hello</h1>", old, StringComparison.Ordinal);
        Assert.Contains("""<a class="missing" href="/pages/Other_page">Other_page</a> and <code>code</code>.""", old, StringComparison.Ordinal);
        Assert.Contains("<ul><li><strong>one</strong></li>\n<li><em>two</em></li>\n</ul>", old, StringComparison.Ordinal);
        Assert.Contains("<p>Short.\n</p>", await wiki.TextAsync("/pages/Home"), StringComparison.Ordinal);
        Assert.Contains("""<a href="/pages/Home">Home</a>""", await wiki.TextAsync("/"), StringComparison.Ordinal);
        Assert.Contains("""<a href="/pages/Home/history/2">revision 2</a>""", await wiki.TextAsync("/recent"), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(PathOf("tmp")));
    }

    [Fact]
    public async Task What_is_in_a_page_stays_text()
    {
        await using var wiki = await WikiProcess.StartAsync(Root);
        const string hostile = "<script>alert(1)</script> [x](javascript:alert(1)) [y](https://a\"onclick=b) `<b>` [[a\"b]]\n```\n<i>\n```";

        using var saved = await wiki.PostFormAsync("/pages/Home", ("text", hostile));

        var shown = await wiki.TextAsync("/pages/Home");
        var form = await wiki.TextAsync("/pages/Home/edit");
        Assert.DoesNotContain("<script>", shown + form, StringComparison.Ordinal);
        Assert.DoesNotContain("href=\"javascript", shown, StringComparison.Ordinal);
        Assert.DoesNotContain("\"onclick", shown, StringComparison.Ordinal);
        Assert.Contains("<code>&lt;b&gt;</code>", shown, StringComparison.Ordinal);
        Assert.Contains("<pre>&lt;i&gt;\n</pre>", shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_edit_of_an_older_revision_is_a_conflict_that_loses_neither_text()
    {
        await using var wiki = await WikiProcess.StartAsync(Root);
        using var mine = await wiki.PostFormAsync("/pages/Home", ("text", "theirs"), ("revision", "0"));

        using var late = await wiki.PostFormAsync("/pages/Home", ("text", "my own"), ("revision", "0"));

        Assert.Equal(HttpStatusCode.Conflict, late.StatusCode);
        var shown = await late.Content.ReadAsStringAsync();
        Assert.Contains("my own", shown, StringComparison.Ordinal);
        Assert.Contains("theirs", shown, StringComparison.Ordinal);
        Assert.Equal((1, "theirs"), await wiki.ReadAsync("Home"));
    }

    [Fact]
    public async Task Lines_appended_at_once_are_all_kept_each_as_a_revision_of_its_own()
    {
        await using var wiki = await WikiProcess.StartAsync(Root);

        var revisions = await Task.WhenAll(Enumerable.Range(1, 40).Select(i => wiki.AppendAsync("Log", $"line {i}")));

        Assert.Equal(Enumerable.Range(1, 40), revisions.Order());
        var (revision, text) = await wiki.ReadAsync("Log");
        Assert.Equal(40, revision);
        Assert.Equal(Enumerable.Range(1, 40).Select(i => $"line {i}").Order(), text.TrimEnd('\n').Split('\n').Order());
        Assert.Equal(40, Directory.GetFiles(PathOf("history", "Log")).Length);
    }

    [Fact]
    public async Task What_was_acknowledged_is_there_after_the_process_was_killed()
    {
        var acknowledged = new List<string>();
        await using (var wiki = await WikiProcess.StartAsync(Root))
        {
            var writing = Task.Run(async () =>
            {
                for (var i = 0; ; i++)
                {
                    await wiki.AppendAsync("Log", $"line {i}");
                    acknowledged.Add($"line {i}");
                }
            });
            while (acknowledged.Count < 20)
            {
                Assert.False(writing.IsCompleted);
                await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
            }

            await wiki.KillAsync();
            await Assert.ThrowsAnyAsync<HttpRequestException>(() => writing);
        }

        await using var again = await WikiProcess.StartAsync(Root);
        var (revision, text) = await again.ReadAsync("Log");
        var lines = text.TrimEnd('\n').Split('\n');
        Assert.Equal(acknowledged, lines.Take(acknowledged.Count));
        Assert.InRange(lines.Length, acknowledged.Count, acknowledged.Count + 1);
        Assert.Equal(revision + 1, await again.AppendAsync("Log", "after"));
    }

    [Theory]
    [InlineData("two\nlines", HttpStatusCode.BadRequest)]
    [InlineData(null, HttpStatusCode.RequestEntityTooLarge)]
    public async Task A_program_appends_one_line_of_bounded_length(string? line, HttpStatusCode expected)
    {
        await using var wiki = await WikiProcess.StartAsync(Root);

        using var response = await wiki.Http.PostAsync(new Uri("/api/pages/Log/append", UriKind.Relative), new StringContent(line ?? new string('x', 70_000)));

        Assert.Equal(expected, response.StatusCode);
        using var page = await wiki.GetAsync("/api/pages/Log");
        Assert.Equal(HttpStatusCode.NotFound, page.StatusCode);
    }

    [Theory]
    [InlineData("/pages/..%2Fdata%2Fwiki")]
    [InlineData("/pages/%2e%2e%2fsecret")]
    [InlineData("/pages/a.b")]
    [InlineData("/pages/a%00b")]
    [InlineData("/api/pages/..%2Fsecret")]
    [InlineData("/uploads/..%2Fsecret.md")]
    [InlineData("/uploads/.hidden")]
    public async Task A_name_cannot_lead_out_of_the_directory(string path)
    {
        await File.WriteAllTextAsync(PathOf("secret.md"), "hunter2");
        await using var wiki = await WikiProcess.StartAsync(Root);

        using var response = await wiki.GetAsync(path);

        Assert.True(response.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.NotFound, $"{response.StatusCode}");
        Assert.DoesNotContain("hunter2", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }
}
