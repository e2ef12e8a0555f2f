using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Mirror.Node.Consul;

namespace Mirror.Testing.Consul;

/// <summary>A <see cref="StandInAgent"/> behind the HTTP API, on a port of its own on loopback.</summary>
public sealed class StandInHttp : IAsyncDisposable
{
    private readonly StandInAgent agent;
    private readonly WebApplication app;

    private StandInHttp(StandInAgent agent, WebApplication app)
    {
        this.agent = agent;
        this.app = app;
    }

    public StandInAgent Agent => agent;

    public Uri Url => new(app.Urls.First());

    /// <summary>When set, whoever comes without it is denied; and with <see cref="ReadToken"/> whoever would change anything.</summary>
    public string? Token { get; set; }

    public string? ReadToken { get; set; }

    /// <summary>How often it was asked.</summary>
    public int Requests { get; private set; }

    /// <param name="https">Null: plain http.</param>
    public static async Task<StandInHttp> StartAsync(StandInAgent agent, Action<HttpsConnectionAdapterOptions>? https = null, int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            if (https is not null)
            {
                listen.UseHttps(https);
            }
        }));
        builder.WebHost.UseKestrelHttpsConfiguration();
        var server = new StandInHttp(agent, builder.Build());
        server.app.Run(server.AnswerAsync);
        await server.app.StartAsync();
        return server;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        Requests++;
        try
        {
            if (Denied(context))
            {
                await SayAsync(context, 403, "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission");
                return;
            }

            await RouteAsync(context);
        }
        catch (ConsulException fault) when (fault.InnerException is StandInException known)
        {
            await SayAsync(context, known.Status, known.Message);
        }
        catch (ConsulException fault) when (fault.Fault == ConsulFault.Failed)
        {
            await SayAsync(context, 500, fault.Message);
        }
        catch (Exception over) when (over is ConsulException or OperationCanceledException)
        {
            // Nobody is to hear anything: the connection just ends.
            context.Abort();
        }
    }

    private bool Denied(HttpContext context)
    {
        if (Token is null || context.Request.Path == "/v1/status/leader")
        {
            return false;
        }

        var given = context.Request.Headers["X-Consul-Token"].ToString();
        return given != Token && !(given == ReadToken && HttpMethods.IsGet(context.Request.Method));
    }

    private async Task RouteAsync(HttpContext context)
    {
        var over = context.RequestAborted;
        string[] path = [.. context.Request.Path.Value!.Trim('/').Split('/').Select(Uri.UnescapeDataString)];
        switch (context.Request.Method, path)
        {
            case ("GET", ["v1", "kv", .. var key]):
                await KeyAsync(context, string.Join('/', key));
                break;
            case ("PUT", ["v1", "txn"]):
                await CommitAsync(context);
                break;
            case ("PUT", ["v1", "session", "create"]):
                var ask = await BodyAsync(context);
                var check = (string)ask["ServiceChecks"]![0]!["ID"]!;
                var id = await agent.OpenSessionAsync(
                    new((string)ask["Name"]!, Span(ask["TTL"]), Span(ask["LockDelay"]), check["service:".Length..]), over);
                await SayAsync(context, 200, new JsonObject { ["ID"] = id });
                break;
            case ("PUT", ["v1", "session", "renew", var session]):
                await (await agent.RenewSessionAsync(session, over) ? SayAsync(context, 200, new JsonArray()) : SayAsync(context, 404, $"Session id '{session}' not found"));
                break;
            case ("PUT", ["v1", "session", "destroy", var session]):
                await agent.CloseSessionAsync(session, over);
                await SayAsync(context, 200, "true");
                break;
            case ("PUT", ["v1", "agent", "service", "register"]):
                await agent.RegisterAsync(ToService(await BodyAsync(context)), over);
                break;
            case ("PUT", ["v1", "agent", "service", "deregister", var service]):
                await agent.DeregisterAsync(service, over);
                break;
            case ("PUT", ["v1", "agent", "check", "update", var checkId]):
                var report = await BodyAsync(context);
                await agent.ReportAsync(checkId["service:".Length..], ToHealth(report["Status"]), (string)report["Output"]!, over);
                break;
            case ("GET", ["v1", "health", "service", var name]):
                await HealthAsync(context, name);
                break;
            case ("GET", ["v1", "status", "leader"]):
                await agent.ReadKeyAsync("", over);
                await SayAsync(context, 200, "\"127.0.0.1:8300\"");
                break;
            default:
                await SayAsync(context, 404, "");
                break;
        }
    }

    private async Task KeyAsync(HttpContext context, string key)
    {
        var (after, wait) = Waiting(context);
        var reading = context.Request.Query.ContainsKey("consistent")
            ? await agent.ReadKeyAsync(key, context.RequestAborted)
            : await agent.WatchKeyAsync(key, after, wait, context.RequestAborted);
        Index(context, reading.Index);
        await (reading.Entry is { } entry ? SayAsync(context, 200, new JsonArray(ToJson(entry, withValue: true))) : SayAsync(context, 404, ""));
    }

    private async Task CommitAsync(HttpContext context)
    {
        var operations = ((JsonArray)await BodyAsync(context)).Select(one => ToOperation(one!["KV"]!)).ToList();
        var outcome = await agent.CommitAsync(operations, context.RequestAborted);
        await (outcome.Committed
            ? SayAsync(context, 200, new JsonObject { ["Results"] = new JsonArray([.. outcome.Entries.Select(entry => new JsonObject { ["KV"] = ToJson(entry, withValue: false) })]), ["Errors"] = null })
            : SayAsync(context, 409, new JsonObject { ["Results"] = null, ["Errors"] = new JsonArray(new JsonObject { ["OpIndex"] = 0, ["What"] = outcome.Why }) }));
    }

    private async Task HealthAsync(HttpContext context, string name)
    {
        var (after, wait) = Waiting(context);
        var reading = await agent.WatchServiceAsync(name, after, wait, context.RequestAborted);
        Index(context, reading.Index);
        var only = context.Request.Query.ContainsKey("passing");
        await SayAsync(context, 200, new JsonArray([.. reading.Instances.Where(one => !only || one.Health == ServiceHealth.Passing).Select(static one => new JsonObject
        {
            ["Node"] = new JsonObject { ["Node"] = "n", ["Address"] = "127.0.0.9" },
            ["Service"] = new JsonObject
            {
                ["ID"] = one.Id, ["Service"] = one.Name, ["Tags"] = new JsonArray([.. one.Tags.Select(static tag => (JsonNode)tag)]), ["Address"] = one.Address, ["Port"] = one.Port,
                ["Meta"] = new JsonObject([.. one.Meta.Select(static pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value))]),
            },
            ["Checks"] = new JsonArray(
                new JsonObject { ["CheckID"] = "serfHealth", ["Status"] = "passing" }, new JsonObject { ["CheckID"] = $"service:{one.Id}", ["Status"] = one.Health.ToString().ToLowerInvariant() }),
        })]));
    }

    private static (ulong After, TimeSpan Wait) Waiting(HttpContext context) => (
        ulong.TryParse(context.Request.Query["index"], CultureInfo.InvariantCulture, out var after) ? after : 0,
        context.Request.Query["wait"].ToString() is { Length: > 0 } wait ? Span(wait) : TimeSpan.FromMinutes(5));

    private static void Index(HttpContext context, ulong index)
    {
        context.Response.Headers["X-Consul-Index"] = index.ToString(CultureInfo.InvariantCulture);

        // As newer ones say of what they stream: no sign of an outage.
        context.Response.Headers["X-Consul-KnownLeader"] = "false";
    }

    private static async Task<JsonNode> BodyAsync(HttpContext context) => (await JsonNode.ParseAsync(context.Request.Body))!;

    private static Task SayAsync(HttpContext context, int status, JsonNode body) => SayAsync(context, status, body.ToJsonString());

    private static Task SayAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = text.Length > 0 && text[0] is '[' or '{' or '"' ? "application/json" : "text/plain";
        return context.Response.WriteAsync(text);
    }

    private static JsonObject ToJson(KeyEntry entry, bool withValue)
    {
        var json = new JsonObject
        {
            ["LockIndex"] = entry.LockIndex, ["Key"] = entry.Key, ["Flags"] = 0, ["Value"] = withValue ? Convert.ToBase64String(entry.Value) : null,
            ["CreateIndex"] = 1, ["ModifyIndex"] = entry.ModifyIndex,
        };
        if (entry.Session is not null)
        {
            json["Session"] = entry.Session;
        }

        return json;
    }

    private static KeyOperation ToOperation(JsonNode json) => new(
        (string)json["Verb"]! switch
        {
            "cas" => KeyVerb.Cas,
            "check-index" => KeyVerb.CheckIndex,
            "check-session" => KeyVerb.CheckSession,
            "lock" => KeyVerb.Lock,
            "unlock" => KeyVerb.Unlock,
            "delete" => KeyVerb.Delete,
            var other => throw new StandInException(400, $"unknown KV operation \"{other}\""),
        },
        (string)json["Key"]!)
    {
        Value = (string?)json["Value"] is { } value ? Convert.FromBase64String(value) : null,
        Index = (ulong?)json["Index"] ?? 0,
        Session = (string?)json["Session"],
    };

    private static ServiceAsk ToService(JsonNode json) => new(
        (string)json["ID"]!, (string)json["Name"]!, [.. ((JsonArray)json["Tags"]!).Select(static tag => (string)tag!)], (string)json["Address"]!, (int)json["Port"]!,
        ((JsonObject)json["Meta"]!).ToDictionary(static pair => pair.Key, static pair => (string)pair.Value!), Span(json["Check"]!["TTL"]), ToHealth(json["Check"]!["Status"]));

    private static ServiceHealth ToHealth(JsonNode? status) => (string?)status switch
    {
        "passing" => ServiceHealth.Passing,
        "warning" => ServiceHealth.Warning,
        _ => ServiceHealth.Critical,
    };

    private static TimeSpan Span(JsonNode? text) => Span((string)text!);

    // Only what the client writes.
    private static TimeSpan Span(string text) => text.EndsWith("ms", StringComparison.Ordinal)
        ? TimeSpan.FromMilliseconds(long.Parse(text.AsSpan(0, text.Length - 2), CultureInfo.InvariantCulture))
        : throw new StandInException(400, $"time: unknown unit in duration \"{text}\"");
}
