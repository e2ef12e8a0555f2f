using CsCheck;

namespace Mirror.Leadership.Tests.Core;

public sealed class PromisesTests
{
    [Fact]
    public void In_no_world_do_two_nodes_hold_a_lease_at_once_or_one_epoch()
    {
        var reigns = 0;
        Gen.Select(Gen.Int, Gen.Int[1, 4], Gen.Int[0, 2]).Sample(
            (seed, nodes, witnesses) =>
            {
                var world = new PromisesSimulation(seed, nodes, witnesses);
                world.Run(3000);
                Interlocked.Add(ref reigns, world.Reigns);
            },
            iter: 150);

        Assert.True(reigns > 1000, $"only {reigns} reigns: the worlds were too quiet to prove anything");
    }
}
