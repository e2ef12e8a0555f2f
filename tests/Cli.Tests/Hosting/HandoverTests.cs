using Mirror.Cli.Hosting;
using Mirror.Leadership.Membership;

namespace Mirror.Cli.Tests.Hosting;

/// <summary>A switchover that is disturbed, at each step where that matters: it ends with one clear outcome, and nobody is left waiting.</summary>
public sealed class HandoverTests : IAsyncLifetime
{
    private const string BeforeHolding = "holding requests at the proxies";
    private const string BeforeCapture = "stopping the app and capturing its last state";
    private const string BeforeWarm = "waiting until beta is warm at";
    private const string BeforeLease = "handing the lease to beta";
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);
    private readonly CancellationTokenSource caller = new();
    private ReigningNode node = null!;

    public async Task InitializeAsync() => node = await ReigningNode.StartAsync();

    public async Task DisposeAsync()
    {
        await node.DisposeAsync();
        caller.Dispose();
    }

    [Fact]
    public async Task A_switchover_gives_the_lease_to_the_successor_and_the_reign_ends_without_an_alarm()
    {
        node.BetaIsWarm();

        var end = await HandOverAsync(_ => Task.CompletedTask);
        await node.Running.WaitAsync(patience);

        Assert.False(end.Undone);
        Assert.Equal("beta", node.Lease.Successor);
        Assert.DoesNotContain(node.Said.All, said => said.Sentence.Contains("could not be renewed", StringComparison.Ordinal));
        Assert.Equal((SiteRole.Fenced, "handed over to beta"), (node.Said.All[^1].Role, node.Said.All[^1].Sentence));
    }

    [Theory]
    [InlineData(BeforeHolding)]
    [InlineData(BeforeCapture)]
    [InlineData(BeforeWarm)]
    [InlineData(BeforeLease)]
    public async Task A_lease_lost_in_the_middle_ends_the_reign_and_is_said_to_whoever_asked_for_the_switchover(string when)
    {
        node.BetaIsWarm();

        var end = await HandOverAsync(async step =>
        {
            if (step.StartsWith(when, StringComparison.Ordinal))
            {
                await node.Lease.LoseAsync();
            }
        });
        await node.Running.WaitAsync(patience);

        Assert.False(end.Undone);
        Assert.Contains("the lease of epoch 1 was lost", end.Sentence, StringComparison.Ordinal);
        Assert.Null(node.Lease.Successor);
        Assert.Equal(SiteRole.Fenced, node.Said.All[^1].Role);
        Assert.Contains("could not be renewed by a majority", node.Said.All[^1].Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lease_lost_while_the_successor_is_waited_for_ends_the_reign_too()
    {
        node.BetaIsWarm();
        var waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var handingOver = HandOverAsync(step =>
        {
            if (step == BeforeCapture)
            {
                // What beta is not told of: so it is waited for.
                node.Edit("two");
            }
            else if (step.StartsWith(BeforeWarm, StringComparison.Ordinal))
            {
                waiting.SetResult();
            }

            return Task.CompletedTask;
        });
        await waiting.Task.WaitAsync(patience);

        await node.Lease.LoseAsync().WaitAsync(patience);

        Assert.False((await handingOver).Undone);
        await node.Running.WaitAsync(patience);
        Assert.Equal(SiteRole.Fenced, node.Said.All[^1].Role);
    }

    [Theory]
    [InlineData(BeforeHolding)]
    [InlineData(BeforeCapture)]
    [InlineData(BeforeWarm)]
    [InlineData(BeforeLease)]
    public async Task A_caller_that_goes_away_before_the_lease_is_given_undoes_it_and_another_switchover_may_begin(string when)
    {
        node.BetaIsWarm();

        var end = await HandOverAsync(step => step.StartsWith(when, StringComparison.Ordinal) ? throw new InvalidOperationException("The caller is gone.") : Task.CompletedTask);

        Assert.True(end.Undone);
        Assert.Contains("alpha serves again: The caller is gone.", end.Sentence, StringComparison.Ordinal);
        Assert.Null(node.Lease.Successor);
        Assert.Equal(SiteRole.Primary, node.Said.All[^1].Role);
        Assert.False(node.Running.IsCompleted);

        Assert.False((await HandOverAsync(_ => Task.CompletedTask)).Undone);
        Assert.Equal("beta", node.Lease.Successor);
    }

    [Fact]
    public async Task A_second_switchover_at_the_same_time_is_refused_and_leaves_the_first_alone()
    {
        node.BetaIsWarm();
        HandoverEnd? second = null;

        var first = await HandOverAsync(async step =>
        {
            if (step == BeforeCapture)
            {
                second = await HandOverAsync(_ => Task.CompletedTask);
            }
        });

        Assert.True(second!.Undone);
        Assert.Contains("Another switchover of wiki is under way", second.Sentence, StringComparison.Ordinal);
        Assert.False(first.Undone);
        Assert.Equal("beta", node.Lease.Successor);
    }

    private Task<HandoverEnd> HandOverAsync(Func<string, Task> step) =>
        Task.Run(() => new Handover(node.Context, node.Reign, "beta").RunAsync(step, caller.Token)).WaitAsync(patience);
}
