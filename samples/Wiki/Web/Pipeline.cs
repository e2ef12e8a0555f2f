using Microsoft.Data.Sqlite;
using Wiki.Storage;

namespace Wiki.Web;

internal static class Pipeline
{
    public static void UseSafeHeaders(this WebApplication app) =>
        app.Use((context, next) =>
        {
            var headers = context.Response.Headers;
            headers.ContentSecurityPolicy = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
            headers.XContentTypeOptions = "nosniff";
            headers["Referrer-Policy"] = "same-origin";
            return next(context);
        });

    /// <summary>A wiki that cannot write just now says so, instead of failing.</summary>
    public static void UseReadableErrors(this WebApplication app) =>
        app.Use(async (context, next) =>
        {
            try
            {
                await next(context);
            }
            catch (SqliteException failure) when (Database.MeansReadOnly(failure) && !context.Response.HasStarted)
            {
                await RefuseAsync(context);
            }
            catch (IOException failure) when (IsReadOnlyFileSystem(failure) && !context.Response.HasStarted)
            {
                await RefuseAsync(context);
            }
        });

    private static bool IsReadOnlyFileSystem(IOException failure) => (failure.HResult & 0xffff) == 30; // EROFS

    private static Task RefuseAsync(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        context.Response.Headers.RetryAfter = "5";
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync("The wiki cannot be changed just now; reading works. Try again in a moment.\n");
    }
}
