using Mirror.Leadership.Voting;

namespace Mirror.Leadership.Tests.Voting;

public sealed class EpochGateTests : IDisposable
{
    private readonly Scratch scratch = new();

    public void Dispose() => scratch.Dispose();

    [Fact]
    public void A_lower_epoch_is_refused_and_this_survives_reopening()
    {
        var gate = new EpochGate(scratch.At("epochs"));
        Assert.Equal(0ul, gate.Highest("wiki"));
        Assert.True(gate.Admit("wiki", 3));
        Assert.True(gate.Admit("wiki", 3));
        Assert.False(gate.Admit("wiki", 2));

        var reopened = new EpochGate(scratch.At("epochs"));
        Assert.Equal(3ul, reopened.Highest("wiki"));
        Assert.False(reopened.Admit("wiki", 2));
        Assert.True(reopened.Admit("wiki", 4));
    }

    [Fact]
    public void Sites_do_not_share_epochs()
    {
        var gate = new EpochGate(scratch.At("epochs"));
        gate.Admit("wiki", 9);

        Assert.True(gate.Admit("shop", 1));
    }

    [Fact]
    public void An_absurd_epoch_does_not_burn_the_numbers()
    {
        var gate = new EpochGate(scratch.At("epochs"));

        Assert.False(gate.Admit("wiki", ulong.MaxValue));
        Assert.True(gate.Admit("wiki", 1));
    }

    [Fact]
    public void A_damaged_memory_admits_nobody()
    {
        new EpochGate(scratch.At("epochs")).Admit("wiki", 3);
        File.WriteAllText(scratch.At("epochs/wiki"), "");

        Assert.Throws<DamagedFileException>(() => new EpochGate(scratch.At("epochs")).Admit("wiki", 9));
    }

    [Fact]
    public void What_could_not_be_written_is_not_admitted()
    {
        var gate = new EpochGate(scratch.At("epochs"));
        gate.Admit("wiki", 3);
        Directory.Delete(scratch.At("epochs"), recursive: true);
        File.WriteAllText(scratch.At("epochs"), "a file in the way");

        Assert.ThrowsAny<IOException>(() => gate.Admit("wiki", 4));
        Assert.Equal(3ul, gate.Highest("wiki"));
    }
}
