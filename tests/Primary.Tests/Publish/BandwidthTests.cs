using System.Net;
using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Configuration;
using Mirror.Primary.Publish;

namespace Mirror.Primary.Tests.Publish;

public sealed class BandwidthTests
{
    private const int rate = 1 << 20;
    private readonly FakeTimeProvider time = new();

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public void However_many_send_together_they_send_the_rate_and_no_more(int senders)
    {
        var bandwidth = new Bandwidth(rate, time);
        var sent = new long[senders];
        var granted = Enumerable.Range(0, senders).Select(_ => bandwidth.SpendAsync(bandwidth.Piece, CancellationToken.None)).ToArray();
        for (var step = 0; step < 1000; step++)
        {
            time.Advance(TimeSpan.FromMilliseconds(10));
            for (var sender = 0; sender < senders; sender++)
            {
                while (granted[sender].IsCompleted)
                {
                    sent[sender] += bandwidth.Piece;
                    granted[sender] = bandwidth.SpendAsync(bandwidth.Piece, CancellationToken.None);
                }
            }
        }

        // In ten seconds ten seconds' worth, and what may go ahead of it: what is saved, and a piece.
        Assert.InRange(sent.Sum(), (10L * rate) - bandwidth.Piece, (10L * rate) + (rate / 10) + (2 * bandwidth.Piece));
        Assert.InRange(sent.Max() - sent.Min(), 0, 2 * bandwidth.Piece);
    }

    [Fact]
    public async Task A_pause_is_not_made_up_for()
    {
        var bandwidth = new Bandwidth(rate, time);
        await bandwidth.SpendAsync(rate, CancellationToken.None);
        time.Advance(TimeSpan.FromHours(1));
        await bandwidth.SpendAsync(rate / 10, CancellationToken.None);
        await bandwidth.SpendAsync(rate, CancellationToken.None);
        var next = bandwidth.SpendAsync(1, CancellationToken.None);
        time.Advance(TimeSpan.FromMilliseconds(990));
        Assert.False(next.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(20));
        await next.WaitAsync(TimeSpan.FromMinutes(5));
    }

    [Fact]
    public async Task Who_gives_up_waiting_stops_nobody_else()
    {
        var bandwidth = new Bandwidth(rate, time);
        await bandwidth.SpendAsync(rate, CancellationToken.None);
        using var first = new CancellationTokenSource();
        var given = bandwidth.SpendAsync(1, first.Token);
        var other = bandwidth.SpendAsync(1, CancellationToken.None);
        await first.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        time.Advance(TimeSpan.FromSeconds(1.01));
        await other.WaitAsync(TimeSpan.FromMinutes(5));
    }

    [Theory]
    [InlineData(64L << 10, 4 << 10)]
    [InlineData(1L << 20, 64 << 10)]
    [InlineData(1L << 40, 256 << 10)]
    public void Pieces_are_so_small_that_a_slow_stream_is_never_silent_for_long(long bytesPerSecond, int piece) =>
        Assert.Equal(piece, new Bandwidth(bytesPerSecond, time).Piece);

    [Theory]
    [InlineData("10.1.2.3", false)]
    [InlineData("::ffff:10.1.2.3", false)]
    [InlineData("11.1.2.3", true)]
    [InlineData("127.0.0.1", true)]
    [InlineData("fd00::17", false)]
    [InlineData(null, true)]
    public void The_limit_is_for_all_but_the_networks_that_are_named(string? address, bool limited)
    {
        var site = new SiteBandwidth(new ReplicationConfig(rate, ["10.0.0.0/8", "fd00::/8"]), time);
        Assert.Equal(limited, site.For(address is null ? null : IPAddress.Parse(address)) is not null);
    }

    [Fact]
    public void Without_a_limit_there_is_none() => Assert.Null(new SiteBandwidth(ReplicationConfig.Default, time).For(IPAddress.Loopback));
}
