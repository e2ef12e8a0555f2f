using System.Collections.Concurrent;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Mirror.Node.Identity;
using Mirror.Node.Listening;
using Mirror.Node.Tests.Listening;
using Mirror.Node.Wire;

namespace Mirror.Node.Tests.Processes;

/// <summary>A node dies, its guard stops the apps, and then tells the voters: with real processes, and a real voter's door.</summary>
public sealed class LastWillTests : IAsyncLifetime
{
    private static readonly TimeSpan s_long = TimeSpan.FromMinutes(10);
    private readonly GuardFixture _fixture = new();
    private readonly int _port = TestServer.FreePort();
    private readonly ToldVoter _voter = new();
    private MemberIdentity _identity = null!;
    private WebApplication _server = null!;

    private string Pki => Path.Combine(_fixture.Directory, "pki");

    public async Task InitializeAsync()
    {
        CertificateAuthority.Create(Pki, "example", TimeProvider.System);
        CertificateAuthority.Issue(Pki, "alpha", "node", ["127.0.0.1"], TimeProvider.System);
        CertificateAuthority.Issue(Pki, "voter", "witness", ["127.0.0.1"], TimeProvider.System);
        _identity = MemberIdentity.Load(Pki, "voter", TimeProvider.System);
        var voter = TestServer.Member("voter", _port, _fixture.Directory);
        _server = await TestServer.StartAsync(
            builder =>
            {
                builder.ListenForPeers(voter, _identity);
                builder.Services.AddSingleton(_voter);
            },
            static app => app.MapGrpcService<ToldVoter>());
    }

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        _identity.Dispose();
        _fixture.Dispose();
    }

    [Fact]
    public async Task When_a_node_is_killed_its_lease_is_given_back_in_its_name_after_its_apps_have_ended()
    {
        using var node = await _fixture.StartHolderAsync(s_long, _port, Pki, "trap 'sleep 0.3; echo saved; exit' TERM; echo up; while :; do sleep 0.02; done");
        await _fixture.LogLineAsync("up");
        _voter.Watch(node.AppId);

        GuardFixture.Signal(node.Process.Id, "KILL");

        var told = await _voter.Will.WaitAsync(GuardFixture.Patience);
        Assert.Equal(("wiki", 7ul, "alpha", ""), (told.Site, told.Epoch, told.Holder, told.Successor));
        Assert.Equal("alpha", _voter.Caller);
        Assert.False(_voter.AppLived);
        await _fixture.LogLineAsync("saved");
        await GuardFixture.UntilGone(node.GuardId);
    }

    [Fact]
    public async Task A_node_that_is_only_stopped_may_come_back_and_keeps_its_lease_until_it_is_dead()
    {
        using var node = await _fixture.StartHolderAsync(TimeSpan.FromSeconds(2), _port, Pki, "while :; do sleep 0.02; done");
        GuardFixture.Signal(node.Process.Id, "STOP");
        await GuardFixture.UntilGone(node.AppId);
        Assert.False(_voter.Will.IsCompleted);

        GuardFixture.Signal(node.Process.Id, "KILL");
        Assert.Equal(7ul, (await _voter.Will.WaitAsync(GuardFixture.Patience)).Epoch);
    }

    [Fact]
    public async Task A_guard_that_is_killed_with_its_node_says_nothing()
    {
        using var node = await _fixture.StartHolderAsync(s_long, _port, Pki, "while :; do sleep 0.02; done");
        GuardFixture.Signal(node.GuardId, "STOP");
        GuardFixture.Signal(node.Process.Id, "KILL");
        GuardFixture.Signal(node.GuardId, "KILL");
        await GuardFixture.UntilGone(node.GuardId, node.AppId);

        // Of this node nothing can come any more; another one shows that the voter would have heard it.
        Assert.False(_voter.Will.IsCompleted);
        using var other = await _fixture.StartHolderAsync(s_long, _port, Pki, "while :; do sleep 0.02; done");
        GuardFixture.Signal(other.Process.Id, "KILL");
        await _voter.Will.WaitAsync(GuardFixture.Patience);
    }

    private sealed class ToldVoter : Voting.VotingBase
    {
        private readonly TaskCompletionSource<GiveBackRequest> _will = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ConcurrentBag<int> _apps = [];

        public Task<GiveBackRequest> Will => _will.Task;

        public string? Caller { get; private set; }

        public bool AppLived { get; private set; }

        public void Watch(int app) => _apps.Add(app);

        public override Task<GiveBackReply> GiveBack(GiveBackRequest request, ServerCallContext context)
        {
            // Epoch 0 is asked to make the way, and must have no effect.
            if (request is { LastWill: true, Epoch: > 0 })
            {
                Caller = Callers.PeerName(context);
                AppLived = _apps.Any(GuardFixture.IsAlive);
                _will.TrySetResult(request);
            }

            return Task.FromResult(new GiveBackReply { Accepted = request.Epoch > 0 });
        }
    }
}
