using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;

namespace Wiki.Tests;

public sealed class UploadTests : WikiTest
{
    [Fact]
    public async Task An_upload_comes_back_byte_for_byte_whole_or_in_part()
    {
        var bytes = RandomNumberGenerator.GetBytes(300_000);
        await using var wiki = await WikiProcess.StartAsync(Root);

        using var uploaded = await UploadAsync(wiki, "photo.png", bytes);

        Assert.Equal(HttpStatusCode.Redirect, uploaded.StatusCode);
        using var whole = await wiki.GetAsync("/uploads/photo.png");
        Assert.Equal("image/png", whole.Content.Headers.ContentType!.MediaType);
        Assert.Equal(bytes, await whole.Content.ReadAsByteArrayAsync());
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/uploads/photo.png", UriKind.Relative)) { Headers = { Range = new RangeHeaderValue(1000, 1999) } };
        using var part = await wiki.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.PartialContent, part.StatusCode);
        Assert.Equal(bytes[1000..2000], await part.Content.ReadAsByteArrayAsync());
        Assert.Contains("photo.png", await wiki.TextAsync("/uploads"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../../etc/cron d.html", "cron_d.html")]
    [InlineData(@"C:\x\.bashrc", "bashrc")]
    public async Task A_file_gets_a_harmless_name_and_what_could_be_a_page_is_only_downloaded(string name, string kept)
    {
        await using var wiki = await WikiProcess.StartAsync(Root);

        using var uploaded = await UploadAsync(wiki, name, "<script>"u8.ToArray());

        Assert.Equal([kept], Directory.GetFiles(PathOf("uploads")).Select(Path.GetFileName));
        using var response = await wiki.GetAsync($"/uploads/{kept}");
        Assert.Equal("application/octet-stream", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal("attachment", response.Content.Headers.ContentDisposition!.DispositionType);
    }

    private static async Task<HttpResponseMessage> UploadAsync(WikiProcess wiki, string name, byte[] bytes)
    {
        using var form = new MultipartFormDataContent { { new ByteArrayContent(bytes), "file", name } };
        return await wiki.Http.PostAsync(new Uri("/uploads", UriKind.Relative), form);
    }
}
