using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Mirror.Proxy.Holding;

namespace Mirror.Proxy.Tests.Holding;

public sealed class Turns
{
    private const int AtOnce = 256;

    private readonly FakeTimeProvider _time = new();
    private readonly Turnstile _turnstile;

    public Turns() => _turnstile = new Turnstile(_time);

    [Fact]
    public async Task As_many_go_through_at_once_as_may_and_who_is_done_lets_the_next_one_in()
    {
        var turns = await FillAsync();
        var next = _turnstile.EnterAsync(new DefaultHttpContext());
        Assert.False(next.IsCompleted);

        turns[7].Dispose();
        turns[7].Dispose();

        await next;
        Assert.False(_turnstile.EnterAsync(new DefaultHttpContext()).IsCompleted);
    }

    [Fact]
    public async Task Slow_answers_hold_the_next_ones_up_for_a_moment_only()
    {
        await FillAsync();
        var next = Enumerable.Range(0, AtOnce).Select(_ => _turnstile.EnterAsync(new DefaultHttpContext())).ToList();
        Assert.DoesNotContain(next, turn => turn.IsCompleted);

        _time.Advance(TimeSpan.FromMilliseconds(250));

        await Task.WhenAll(next);
    }

    [Fact]
    public async Task Who_leaves_before_his_turn_takes_none()
    {
        var turns = await FillAsync();
        using var leaving = new CancellationTokenSource();
        var gone = _turnstile.EnterAsync(new DefaultHttpContext { RequestAborted = leaving.Token });
        var next = _turnstile.EnterAsync(new DefaultHttpContext());

        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        turns[0].Dispose();

        await next;
    }

    private async Task<List<IDisposable>> FillAsync()
    {
        var turns = new List<IDisposable>();
        for (var i = 0; i < AtOnce; i++)
        {
            turns.Add(await _turnstile.EnterAsync(new DefaultHttpContext()));
        }

        return turns;
    }
}
