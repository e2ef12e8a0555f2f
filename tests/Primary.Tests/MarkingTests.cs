using Mirror.Leadership.Core;
using Mirror.Leadership.Voting;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests;

/// <summary>Where an arbiter remembers what is consistent: nobody hears of it before. The site has the nodes a, b and c; the arbiter is the test's.</summary>
public sealed class MarkingTests : IAsyncLifetime, IDisposable
{
    private readonly CancellationTokenSource limit = new(TimeSpan.FromMinutes(2));
    private readonly HandMark mark = new();
    private LiveSite site = null!;

    public async Task InitializeAsync() => site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("page", "1"));

    public Task DisposeAsync() => site.DisposeAsync().AsTask();

    public void Dispose() => limit.Dispose();

    [Fact]
    public async Task A_version_is_consistent_when_most_nodes_hold_it_and_the_arbiter_knows()
    {
        await using var role = await site.EnterAsync(mark: mark);
        var waiting = role.WaitForCopiesAsync(new(1, 1), new(HoldingStage.Consistent, 0), TimeSpan.FromMinutes(1), limit.Token);
        Assert.Equal(0, mark.Asked);
        role.Report("b", Holds(1, 1));
        await mark.AskedAsync(limit.Token);
        Assert.Equal(default, role.Consistent);
        Assert.False(waiting.IsCompleted);

        mark.Answer(true);
        Assert.True((await waiting).Reached);
        Assert.Equal(new Position(1, 1), role.Consistent);
    }

    [Fact]
    public async Task An_arbiter_that_does_not_answer_is_asked_again()
    {
        await using var role = await site.EnterAsync(mark: mark);
        role.Report("c", Holds(1, 1));
        await mark.AskedAsync(limit.Token);
        mark.Answer(false);
        await mark.AskedAsync(limit.Token);
        Assert.Equal(default, role.Consistent);
        mark.Answer(true);
        await role.NewsAsync(new(9, 9), role.Rotten, default, limit.Token);
        Assert.Equal(new Position(1, 1), role.Consistent);
    }

    [Fact]
    public async Task A_reign_begins_with_a_version_of_its_own_and_speaks_for_no_other()
    {
        await using (var former = await site.EnterAsync())
        {
            Assert.Equal(new VersionId(1, 1), former.Newest!.Id);
        }

        await using var role = await site.EnterAsync(epoch: 3, mark: mark);
        Assert.Equal(new VersionId(3, 1), role.Newest!.Id);
        Assert.Null(await role.CaptureAsync(allowMassDelete: false, limit.Token));

        // Of an earlier epoch, and of one whose history may have parted from this.
        role.Report("b", Holds(1, 1));
        role.Report("c", Holds(2, 7));
        role.Report("b", Holds(3, 1));
        await mark.AskedAsync(limit.Token);
        Assert.Equal((1, new Position(3, 1)), (mark.Asked, mark.Version));
        mark.Answer(true);
    }

    [Fact]
    public async Task Without_an_arbiter_nothing_has_changed_means_no_version()
    {
        await using (await site.EnterAsync())
        {
        }

        await using var role = await site.EnterAsync(epoch: 3);
        Assert.Equal(new VersionId(1, 1), role.Newest!.Id);
    }

    [Fact]
    public async Task A_version_that_holds_no_change_can_be_applied()
    {
        await using var role = await site.EnterAsync();
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, PackOf("0.0-1.1"));
        await role.DisposeAsync();

        await using var next = await site.EnterAsync(epoch: 2, mark: mark);
        await LiveSite.StageAsync(replica, PackOf("1.1-2.1"));
        Assert.Equal(new VersionId(2, 1), replica.Head!.Id);
    }

    private static ReplicaHolding Holds(ulong epoch, ulong sequence) => new(new(epoch, sequence), new(epoch, sequence), default);

    private string PackOf(string name) => Directory.GetFiles(site.Store.OutboxDirectory, $"{name}*").Single();

    private sealed class HandMark : IConsistencyMark
    {
        private readonly SemaphoreSlim asked = new(0);
        private TaskCompletionSource<bool>? answer;

        public int Asked { get; private set; }

        public Position Version { get; private set; }

        public Position Current { get; private set; }

        public Task AskedAsync(CancellationToken cancellation) => asked.WaitAsync(cancellation);

        public void Answer(bool yes)
        {
            Current = yes ? Version : Current;
            answer!.SetResult(yes);
        }

        public Task<bool> RaiseAsync(Position version, CancellationToken cancellation)
        {
            (Asked, Version) = (Asked + 1, version);
            answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
            asked.Release();
            return answer.Task.WaitAsync(cancellation);
        }
    }
}
