using System.Collections.Concurrent;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Mirror.Cli.Hosting;
using Mirror.Delta;
using Mirror.Node.Channels;
using Mirror.Node.Listening;
using Mirror.Node.Wire;
using Mirror.Primary.Capture;
using Mirror.Store.Packs;
using Mirror.Store.Versions;
using Mirror.Testing;

namespace Mirror.Cli.Tests.Hosting;

/// <summary>A real server behind a control socket, whose service throws what a test wants.</summary>
public sealed class FailureInterceptorTests : IAsyncLifetime, IDisposable
{
    private readonly TemporaryDirectory files = new();
    private readonly Lines log = new();
    private readonly Throwing throwing = new();
    private WebApplication server = null!;

    public static TheoryData<Exception> Known => new()
    {
        new StoreException("The store says so."),
        new PackFormatException("The pack says so."),
        new DeltaFormatException("The delta says so."),
        new CaptureException("The capture says so."),
        new FileNotFoundException("The file system says so."),
        new UnauthorizedAccessException("The kernel says so."),
        new TimeoutException("The clock says so."),
    };

    public async Task InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddProvider(log).AddFilter("Grpc", LogLevel.None);
        builder.ListenForControl(files["control.sock"]);
        builder.Services.AddSingleton(Snapshots.Config(Snapshots.Site()).Members["alpha"]).AddSingleton<FailureInterceptor>().AddSingleton(throwing)
            .AddGrpc(grpc => grpc.Interceptors.Add<FailureInterceptor>());
        server = builder.Build();
        server.MapGrpcService<Throwing>();
        await server.StartAsync();
    }

    public async Task DisposeAsync() => await server.DisposeAsync();

    public void Dispose()
    {
        files.Dispose();
        log.Dispose();
    }

    [Theory]
    [MemberData(nameof(Known))]
    public async Task A_failure_that_explains_itself_reaches_the_caller_in_its_own_words(Exception failure)
    {
        throwing.With(failure);

        foreach (var status in await AskBothWaysAsync())
        {
            Assert.Equal((StatusCode.FailedPrecondition, failure.Message), (status.StatusCode, status.Detail));
        }

        Assert.All(log.Written, line => Assert.Equal((LogLevel.Warning, 7040), (line.Level, line.Id)));
        Assert.Equal(2, log.Written.Count);
    }

    [Fact]
    public async Task A_fault_nobody_foresaw_is_logged_whole_and_the_caller_learns_what_it_was_and_where_to_look()
    {
        throwing.With(new InvalidOperationException("Sequence contains no matching element"));

        foreach (var status in await AskBothWaysAsync())
        {
            Assert.Equal(StatusCode.Internal, status.StatusCode);
            Assert.Contains("alpha met a fault", status.Detail, StringComparison.Ordinal);
            Assert.Contains("InvalidOperationException: Sequence contains no matching element", status.Detail, StringComparison.Ordinal);
            Assert.Contains(LogPlace.Describe(), status.Detail, StringComparison.Ordinal);
            Assert.Contains("[7090]", status.Detail, StringComparison.Ordinal);
        }

        Assert.All(log.Written, line => Assert.Equal((LogLevel.Error, 7090), (line.Level, line.Id)));
        Assert.All(log.Written, line => Assert.Contains(nameof(Throwing.Now), line.Fault!.StackTrace, StringComparison.Ordinal));
        Assert.Equal(2, log.Written.Count);
    }

    [Fact]
    public async Task What_a_change_of_role_interrupts_says_so()
    {
        throwing.With(new OperationCanceledException());

        Assert.All(await AskBothWaysAsync(), status =>
        {
            Assert.Equal(StatusCode.Aborted, status.StatusCode);
            Assert.Contains("its role changed meanwhile", status.Detail, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task What_a_service_says_itself_is_left_as_it_is()
    {
        throwing.With(new RpcException(new Status(StatusCode.NotFound, "There is no such thing.")));

        Assert.All(await AskBothWaysAsync(), status => Assert.Equal((StatusCode.NotFound, "There is no such thing."), (status.StatusCode, status.Detail)));
        Assert.Empty(log.Written);
    }

    // One plain call and one that streams.
    private async Task<Status[]> AskBothWaysAsync()
    {
        using var channel = LocalChannel.Open(files["control.sock"]);
        var client = new Control.ControlClient(channel);
        var plain = await Assert.ThrowsAsync<RpcException>(async () => await client.GetVersionsAsync(new VersionsRequest()));
        using var call = client.Restore(new RestoreRequest());
        var streamed = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None));
        return [plain.Status, streamed.Status];
    }

    private sealed class Throwing : Control.ControlBase
    {
        private Exception? failure;

        public void With(Exception wanted) => failure = wanted;

        public void Now() => throw failure!;

        public override async Task<VersionsReply> GetVersions(VersionsRequest request, ServerCallContext context)
        {
            await Task.Yield();
            Now();
            return new VersionsReply();
        }

        public override async Task Restore(RestoreRequest request, IServerStreamWriter<Progress> responseStream, ServerCallContext context)
        {
            await Task.Yield();
            Now();
        }
    }

    private sealed record Line(LogLevel Level, int Id, string Text, Exception? Fault);

    private sealed class Lines : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<Line> written = new();

        public IReadOnlyCollection<Line> Written => written;

        public ILogger CreateLogger(string categoryName) => categoryName.StartsWith("Mirror.", StringComparison.Ordinal) ? this : Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            written.Enqueue(new Line(logLevel, eventId.Id, formatter(state, exception), exception));

        public void Dispose()
        {
        }
    }
}
