using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Mirror.Testing.GuardHost;

/// <summary>A web app for tests: its health is as told (<c>--status=N</c>), <c>/about</c> tells what it was started with, and a POST to <c>/die</c> ends it.</summary>
internal static class TestApp
{
    public static async Task<int> RunAsync(string[] args)
    {
        Console.WriteLine($"pid {Environment.ProcessId}");
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls($"http://127.0.0.1:{Option(args, "port")}");
        await using var app = builder.Build();
        var status = int.Parse(Option(args, "status") ?? "200", CultureInfo.InvariantCulture);
        app.MapGet("/healthz", () => Results.StatusCode(status));
        app.MapGet("/about", () => new { arguments = args, environment = Environment.GetEnvironmentVariables(), directory = Environment.CurrentDirectory });
        app.MapPost("/die", () =>
        {
            Console.WriteLine("dying as asked");
            Environment.Exit(3);
        });
        await app.RunAsync();
        return 0;
    }

    private static string? Option(string[] args, string name) =>
        args.FirstOrDefault(arg => arg.StartsWith($"--{name}=", StringComparison.Ordinal))?[(name.Length + 3)..];
}
