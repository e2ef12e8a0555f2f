using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Mirror.Cli.Hosting;
using Mirror.Testing;

namespace Mirror.Cli.Tests.Hosting;

public sealed class DecisionLogTests : IDisposable
{
    private readonly TemporaryDirectory scratch = new();
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2030, 1, 1, 12, 0, 0, TimeSpan.Zero));

    public void Dispose() => scratch.Dispose();

    private DecisionLog Open() => new(scratch["decisions"], time, NullLogger.Instance);

    [Fact]
    public void Decisions_outlive_the_process_and_come_oldest_first()
    {
        Open().Write("replica", 3, "a gave epoch 3 back;\tb stands\nwith 3.8.");
        time.Advance(TimeSpan.FromSeconds(1));
        Open().Write("primary", 4, "primary in epoch 4");

        var lines = Open().Read("b", 10);
        Assert.Equal(["a gave epoch 3 back; b stands with 3.8.", "primary in epoch 4"], lines.Select(line => line.Sentence));
        Assert.Equal(("b", "replica", 3ul), (lines[0].Node, lines[0].Role, lines[0].Epoch));
        Assert.Equal(1000, lines[1].UnixMs - lines[0].UnixMs);
        Assert.Equal("primary in epoch 4", Assert.Single(Open().Read("b", 1)).Sentence);
    }

    [Fact]
    public void A_candidate_that_asks_again_and_again_fills_no_history()
    {
        var log = Open();
        for (var left = 100; left > 0; left--)
        {
            log.Write("replica", 3, $"b can't be appointed in epoch 4: a holds epoch 3 for another {left}.5 s.");
            log.Write("replica", 3, "Waits to ask the voters again.");
        }

        log.Write("replica", 4, "Waits to ask the voters again.");
        Assert.Equal(3, log.Read("b", 100).Count);
    }

    [Fact]
    public void What_people_want_is_written_each_time()
    {
        var log = Open();
        log.Write("replica", 3, "ops pauses automatic failover", byPerson: true);
        log.Write("replica", 3, "ops resumes automatic failover", byPerson: true);
        log.Write("replica", 3, "ops pauses automatic failover", byPerson: true);
        log.Write("replica", 3, "ops gives up the diverged branch 1.4: looked at", byPerson: true);
        log.Write("replica", 3, "ops gives up the diverged branch 2.7: looked at", byPerson: true);
        Assert.Equal(5, log.Read("b", 100).Count);
    }

    [Fact]
    public void It_is_kept_to_its_size_and_what_was_cut_short_is_left_out()
    {
        var log = Open();
        for (ulong epoch = 1; epoch < 3000; epoch++)
        {
            log.Write("primary", epoch, new string('x', 500));
        }

        Assert.True(Directory.GetFiles(scratch.Path).Sum(file => new FileInfo(file).Length) < 1_200_000);
        Assert.Equal(2999ul, log.Read("b", 1)[0].Epoch);
        File.AppendAllText(scratch["decisions"], "1893499200000\tprimary");
        Assert.Equal(2999ul, Open().Read("b", 1)[0].Epoch);
    }

    [Fact]
    public void What_cannot_be_written_keeps_nothing_from_going_on()
    {
        Directory.CreateDirectory(scratch["decisions"]);

        Open().Write("primary", 1, "primary in epoch 1");
        Assert.Empty(Open().Read("b", 10));
    }
}
