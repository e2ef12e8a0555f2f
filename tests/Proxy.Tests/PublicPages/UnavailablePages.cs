using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Configuration;
using Mirror.Proxy.PublicPages;
using Mirror.Proxy.Tests.Environment;
using Mirror.Testing;

namespace Mirror.Proxy.Tests.PublicPages;

public sealed class UnavailablePages : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly FakeTimeProvider _time = new();

    private string Path => _directory["sorry.html"];

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("text/html,*/*;q=0.8", "<p>Ours: The site is not available at the moment</p>")]
    [InlineData("application/json", "\"status\":503")]
    [InlineData("*/*", "The site is not available at the moment. ")]
    public async Task Browsers_see_the_users_own_page_and_others_what_they_read(string accept, string expected)
    {
        await File.WriteAllTextAsync(Path, "<p>Ours: {title}</p>");
        await using var environment = await TestEnvironment.StartAsync(holdFor: TimeSpan.FromMilliseconds(50), front: new FrontConfig { UnavailablePage = Path });
        using var request = TestEnvironment.Request(HttpMethod.Get, "/");
        request.Headers.Add("Accept", accept);

        using var response = await environment.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Contains(expected, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_is_no_site_is_not_said_to_be_unavailable()
    {
        await File.WriteAllTextAsync(Path, "ours");
        await using var environment = await TestEnvironment.StartAsync(front: new FrontConfig { UnavailablePage = Path });
        using var request = TestEnvironment.Request(HttpMethod.Get, "/", host: "other.example");
        request.Headers.Add("Accept", "text/html");

        using var response = await environment.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.DoesNotContain("ours", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_file_can_be_exchanged_and_a_missing_or_huge_one_means_the_plain_page()
    {
        var page = Page(Path);
        Assert.Null(page.With("t", "d"));

        File.WriteAllText(Path, "one {detail}");
        Assert.Null(page.With("t", "d"));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal("one &lt;d&gt;", page.With("t", "<d>"));

        File.WriteAllText(Path, new string('x', 1024 * 1024 + 1));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Null(page.With("t", "d"));
    }

    private UnavailablePage Page(string path) => new(
        new MemberConfig("front", MemberKind.Proxy, "127.0.0.1", 0, 0, "/", [], default, 0, default) { Front = new FrontConfig { UnavailablePage = path } },
        _time, NullLogger<UnavailablePage>.Instance);
}
