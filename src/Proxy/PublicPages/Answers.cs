using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.Extensions.DependencyInjection;
using Mirror.Node.Configuration;
using Mirror.Proxy.Holding;

namespace Mirror.Proxy.PublicPages;

/// <summary>What the proxy itself says to users: what happened, whether anything was done, and what to do. As HTML, JSON or text, by Accept.</summary>
internal static class Answers
{
    private const int RetryAfterSeconds = 5;

    public static Task UnavailableAsync(HttpContext context, Refusal why) => WriteAsync(
        context, StatusCodes.Status503ServiceUnavailable, "The site is not available at the moment",
        why switch
        {
            Refusal.TooManyWaiting => "Too many requests are waiting for it already. This request was not executed.",
            Refusal.Stopping => "This entrance is closing. This request was not executed.",
            _ => "The request waited, and no server took over in time. It was not executed.",
        },
        RetryAfterSeconds);

    public static Task OutcomeUnknownAsync(HttpContext context, bool idempotent) => WriteAsync(
        context, StatusCodes.Status502BadGateway, "The server was lost while it answered",
        idempotent
            ? "The request can be sent again without harm."
            : "The request may or may not have been executed. Look before sending it again.",
        RetryAfterSeconds);

    public static Task NotSettledAsync(HttpContext context) => WriteAsync(
        context, StatusCodes.Status504GatewayTimeout, "The change could not be made safe in time",
        "It was made, and other servers did not confirm that they have it. Look before sending it again.", RetryAfterSeconds);

    public static Task TooSlowAsync(HttpContext context) => WriteAsync(
        context, StatusCodes.Status504GatewayTimeout, "The server did not answer in time",
        "The request may still be executed. Look before sending it again.", RetryAfterSeconds);

    /// <summary>Says nothing of which sites there are.</summary>
    public static Task UnknownHostAsync(HttpContext context) =>
        WriteAsync(context, StatusCodes.Status404NotFound, "There is no site of this name here", "Check the address.");

    public static Task UnknownPageAsync(HttpContext context) =>
        WriteAsync(context, StatusCodes.Status404NotFound, "There is no such page", "Check the address.");

    public static Task MethodRefusedAsync(HttpContext context)
    {
        context.Response.Headers.Allow = "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE";
        return WriteAsync(context, StatusCodes.Status405MethodNotAllowed, "This method is not served here", "Nothing was done.");
    }

    /// <summary>On to the site itself where it has a name, with the same method and body (307); else, and for what is no plain request, 405.</summary>
    public static Task ReadOnlyAsync(HttpContext context, SiteConfig site, bool tunnel, string cookie)
    {
        var request = context.Request;
        var primary = site.Hosts.FirstOrDefault(host => host != "*");
        var link = primary is null
            ? null
            : UriHelper.BuildAbsolute(request.Scheme, request.Host.Port is { } port ? new HostString(primary, port) : new HostString(primary),
                request.PathBase, request.Path, request.QueryString);
        var status = StatusCodes.Status405MethodNotAllowed;
        if (link is not null && !tunnel)
        {
            status = StatusCodes.Status307TemporaryRedirect;
            context.Response.Headers.Location = link;
            context.Response.Headers.SetCookie = cookie;
        }
        else
        {
            context.Response.Headers.Allow = "GET, HEAD, OPTIONS";
        }

        return WriteAsync(context, status, "This is a read-only mirror",
            link is null ? "Changes are made at the site itself. Nothing was changed." : "Nothing was changed. Changes are made at the site itself:",
            link: link);
    }

    private static async Task WriteAsync(
        HttpContext context, int status, string title, string detail, int? retryAfter = null, string? link = null)
    {
        var response = context.Response;
        response.StatusCode = status;
        response.Headers.CacheControl = "no-store";
        if (retryAfter is { } seconds)
        {
            response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        var accept = context.Request.Headers.Accept.ToString();
        string body;
        if (accept.Contains("json", StringComparison.OrdinalIgnoreCase))
        {
            response.ContentType = "application/problem+json";
            body = JsonSerializer.Serialize(new Problem(title, status, detail, retryAfter, link), JsonSerializerOptions.Web);
        }
        else if (accept.Contains("text/html", StringComparison.OrdinalIgnoreCase))
        {
            response.ContentType = "text/html; charset=utf-8";
            if (status >= StatusCodes.Status500InternalServerError && context.RequestServices.GetRequiredService<UnavailablePage>().With(title, detail) is { } own)
            {
                await SendAsync(context, own);
                return;
            }

            var anchor = link is null ? "" : $" <a href=\"{WebUtility.HtmlEncode(link)}\">{WebUtility.HtmlEncode(link)}</a>";
            body = $"""
                <!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
                <h1>{title}</h1><p>{detail}{anchor}</p></html>

                """;
        }
        else
        {
            response.ContentType = "text/plain; charset=utf-8";
            body = $"{title}. {detail}{(link is null ? "" : " " + link)}\n";
        }

        await SendAsync(context, body);
    }

    private static async Task SendAsync(HttpContext context, string body)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        context.Response.ContentLength = bytes.Length;
        await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
    }

    private sealed record Problem(string Title, int Status, string Detail, int? RetryAfter, string? Link);
}
