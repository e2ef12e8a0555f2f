using System.Collections.Concurrent;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Mirror.Cli.Hosting;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;
using Mirror.Node.Wire;
using Mirror.Primary.Capture;
using Mirror.Store.Versions;
using Mirror.Testing;

namespace Mirror.Cli.Tests.Hosting;

/// <summary>A node's history is thinned by its own configuration and clock, and by nobody else.</summary>
public sealed class SiteRetentionTests : IDisposable
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);
    private readonly TemporaryDirectory files = new();
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 5, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly Heard heard = new();

    public void Dispose() => files.Dispose();

    [Fact]
    public async Task It_thins_and_makes_key_frames_every_so_often_until_the_node_stops()
    {
        await using var store = await FilledAsync(SiteRetention.Recent + 4);
        var site = Snapshots.Site(withApp: false) with { Retention = new RetentionConfig(1, TimeSpan.Zero, 0, 0, 0, 0, 0, 0, TimeSpan.FromHours(1), 10, TimeSpan.Zero) };
        using var stopping = new CancellationTokenSource();
        var running = new SiteRetention(site, store, time, heard).RunAsync(stopping.Token);
        Assert.Empty(heard.Ids);

        // The first time within a tenth of the hour, then about every hour.
        time.Advance(TimeSpan.FromMinutes(6));
        await heard.WaitForAsync(7060).WaitAsync(patience);
        Assert.Contains(7061, heard.Ids);

        // The newest 32, and the one its epoch began with.
        Assert.Equal(SiteRetention.Recent + 1, store.Versions.Count);
        Assert.All(store.Versions, version => Assert.True(version.Restorable));
        Assert.True(File.Exists(Path.Combine(store.Directory, "history", $"0.0-{store.Head!.Id}.pack")));

        await stopping.CancelAsync();
        await running.WaitAsync(patience);
    }

    [Fact]
    public async Task What_fails_is_said_and_tried_again()
    {
        await using var store = await FilledAsync(2);
        var retention = new RetentionConfig(1, TimeSpan.Zero, 0, 0, 0, 0, 0, 0, TimeSpan.FromHours(1), 0, TimeSpan.Zero);
        var loop = new SiteRetention(Snapshots.Site(withApp: false) with { Retention = retention }, store, time, heard);
        await File.WriteAllTextAsync(Path.Combine(store.Directory, "thinning"), "in the way");
        await loop.RunOnceAsync(retention, CancellationToken.None);
        Assert.Contains(7063, heard.Ids);

        File.Delete(Path.Combine(store.Directory, "thinning"));
        heard.Ids.Clear();
        await loop.RunOnceAsync(retention, CancellationToken.None);
        Assert.DoesNotContain(7063, heard.Ids);
    }

    [Fact]
    public async Task A_site_without_a_policy_is_let_alone_but_for_branches_that_somebody_gave_up()
    {
        await using var store = await FilledAsync(3);
        var going = store.Versions[1].Record.Id;
        await store.NoteAsync(going, "diverged: never replicated", CancellationToken.None);
        using var stopping = new CancellationTokenSource();
        var loop = new SiteRetention(Snapshots.Site(withApp: false), store, time, heard);
        await loop.RunOnceAsync(null, stopping.Token);
        Assert.Equal(3, store.Versions.Count);

        // It lies in a slot still: it goes when the next version has taken that.
        Assert.Single((await store.GiveUpAsync(going, "looked at", dryRun: false, null, stopping.Token)).Stay);
        await SaveAsync(store, 4);
        var running = loop.RunAsync(stopping.Token);
        time.Advance(TimeSpan.FromMinutes(6));
        await heard.WaitForAsync(7064).WaitAsync(patience);
        Assert.Equal(["1.1", "1.3", "1.4"], store.Versions.Select(version => version.Record.Id.ToString()));
        await stopping.CancelAsync();
        await running.WaitAsync(patience);
    }

    [Theory]
    [InlineData("node")]
    [InlineData("proxy")]
    [InlineData("witness")]
    public async Task No_other_member_may_say_what_a_node_keeps(string kind)
    {
        var pki = files["pki"];
        CertificateAuthority.Create(pki, "home", TimeProvider.System);
        CertificateAuthority.Issue(pki, "stolen", kind, ["127.0.0.1"], TimeProvider.System);
        using var certificate = X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(Path.Combine(pki, "stolen.crt")));
        var http = new DefaultHttpContext();
        http.Connection.ClientCertificate = certificate;
        var call = new Call(http);
        var service = new ControlService(Snapshots.Config(Snapshots.Site(withApp: false)), null!, null!, null!, null!, null!, new RunningSites(), time);

        Assert.Equal(StatusCode.PermissionDenied, (await Assert.ThrowsAsync<RpcException>(() => service.Forget(new ForgetRequest { Site = "wiki" }, null!, call))).StatusCode);
        Assert.Equal(StatusCode.PermissionDenied, (await Assert.ThrowsAsync<RpcException>(() => service.Protect(new ProtectRequest { Site = "wiki", Lift = true }, call))).StatusCode);
        Assert.Equal(StatusCode.PermissionDenied, (await Assert.ThrowsAsync<RpcException>(() => service.DropDiverged(new DropDivergedRequest { Site = "wiki" }, call))).StatusCode);
        Assert.Equal(StatusCode.PermissionDenied, (await Assert.ThrowsAsync<RpcException>(() => service.MakeKeyFrame(new KeyFrameRequest { Site = "wiki" }, null!, call))).StatusCode);
    }

    private async Task<VersionStore> FilledAsync(int count)
    {
        var store = await VersionStore.OpenAsync(files["store"], "wiki", time, CancellationToken.None);
        for (var version = 1; version <= count; version++)
        {
            await SaveAsync(store, version);
        }

        return store;
    }

    private async Task SaveAsync(VersionStore store, int version)
    {
        var source = files.Make("source");
        await File.WriteAllTextAsync(Path.Combine(source, "page"), $"version {version}");
        time.Advance(TimeSpan.FromMinutes(1));
        var captured = await SiteCapture.CaptureAsync(
            store, new Mirror.Primary.Capture.CaptureRequest(source, null, new PathFilter([], []), "here", 1, [], false), store.InboxDirectory, TimeProvider.System, CancellationToken.None);
        await store.StageAsync(captured.Pack!, null, CancellationToken.None);
        await store.FlipAsync(CancellationToken.None);
    }

    /// <summary>What was logged, by number.</summary>
    private sealed class Heard : ILogger
    {
        private readonly ConcurrentDictionary<int, TaskCompletionSource> waited = new();

        public ConcurrentBag<int> Ids { get; } = [];

        public Task WaitForAsync(int id) => Waited(id).Task;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Ids.Add(eventId.Id);
            Waited(eventId.Id).TrySetResult();
        }

        private TaskCompletionSource Waited(int id) => waited.GetOrAdd(id, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
    }

    /// <summary>A call that came with a certificate.</summary>
    private sealed class Call(HttpContext http) : ServerCallContext
    {
        protected override string MethodCore => "";
        protected override string HostCore => "";
        protected override string PeerCore => "";
        protected override DateTime DeadlineCore => DateTime.MaxValue;
        protected override Metadata RequestHeadersCore { get; } = [];
        protected override CancellationToken CancellationTokenCore => CancellationToken.None;
        protected override Metadata ResponseTrailersCore { get; } = [];
        protected override Status StatusCore { get; set; }
        protected override WriteOptions? WriteOptionsCore { get; set; }
        protected override AuthContext AuthContextCore { get; } = new("", []);
        protected override IDictionary<object, object> UserStateCore { get; } = new Dictionary<object, object> { ["__HttpContext"] = http };

        protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) => throw new NotSupportedException();

        protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => Task.CompletedTask;
    }
}
