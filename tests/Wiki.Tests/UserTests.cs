using System.Net;
using Microsoft.Data.Sqlite;

namespace Wiki.Tests;

public sealed class UserTests : WikiTest
{
    [Fact]
    public async Task Who_is_signed_in_is_named_with_the_edit_until_signing_out()
    {
        await using var wiki = await WikiProcess.StartAsync(Root);
        using var registered = await wiki.PostFormAsync("/register", ("name", "ada"), ("password", "correct horse"));
        Assert.Equal(HttpStatusCode.Redirect, registered.StatusCode);

        await wiki.AppendAsync("Home", "by ada");
        using var signedOut = await wiki.PostFormAsync("/logout");
        await wiki.AppendAsync("Home", "by nobody");

        var history = await wiki.TextAsync("/pages/Home/history");
        Assert.Contains("revision 1</a></td>\n<td>ada</td>", history, StringComparison.Ordinal);
        Assert.Contains("revision 2</a></td>\n<td>somebody</td>", history, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Signing_in_takes_the_right_password_and_lasts_over_a_restart()
    {
        string cookie;
        await using (var wiki = await WikiProcess.StartAsync(Root))
        {
            using var registered = await wiki.PostFormAsync("/register", ("name", "ada"), ("password", "correct horse"));
            using var taken = await wiki.PostFormAsync("/register", ("name", "ada"), ("password", "another one"));
            using var other = wiki.NewClient();
            using var wrong = await WikiProcess.PostFormAsync(other, "/login", ("name", "ada"), ("password", "correct mule"));
            using var unknown = await WikiProcess.PostFormAsync(other, "/login", ("name", "bob"), ("password", "correct horse"));
            using var right = await WikiProcess.PostFormAsync(other, "/login", ("name", "ada"), ("password", "correct horse"));

            Assert.Equal(HttpStatusCode.BadRequest, taken.StatusCode);
            Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
            Assert.Equal(HttpStatusCode.BadRequest, unknown.StatusCode);
            Assert.False(wrong.Headers.Contains("Set-Cookie"));
            Assert.Equal(HttpStatusCode.Redirect, right.StatusCode);
            cookie = right.Headers.GetValues("Set-Cookie").Single();
            Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
            Assert.Equal(0, await wiki.StopAsync());
        }

        await using var again = await WikiProcess.StartAsync(Root);
        using var client = again.NewClient();
        client.DefaultRequestHeaders.Add("Cookie", cookie.Split(';')[0]);
        Assert.Contains("<span>ada</span>", await client.GetStringAsync(new Uri("/", UriKind.Relative)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_database_holds_neither_passwords_nor_tokens()
    {
        await using (var wiki = await WikiProcess.StartAsync(Root))
        {
            using var registered = await wiki.PostFormAsync("/register", ("name", "ada"), ("password", "correct horse"));
            var token = registered.Headers.GetValues("Set-Cookie").Single().Split(['=', ';'])[1];
            await wiki.StopAsync();

            var file = await File.ReadAllTextAsync(PathOf("data", "wiki.db"), System.Text.Encoding.Latin1);
            Assert.DoesNotContain("correct horse", file, StringComparison.Ordinal);
            Assert.DoesNotContain(token, file, StringComparison.Ordinal);
        }

        Assert.False(File.Exists(PathOf("data", "wiki.db-wal")));
        await using var database = new SqliteConnection($"Data Source={PathOf("data", "wiki.db")};Mode=ReadOnly;Pooling=False");
        database.Open();
        using var command = database.CreateCommand();
        command.CommandText = "SELECT count(*) FROM users";
        Assert.Equal(1L, command.ExecuteScalar());
    }
}
