using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Scenarios;

/// <summary>Everything a file system can hold, saved and restored by the program as people run it. rsync and find are the judges.</summary>
public sealed class TortureTreeTests
{
    [Fact]
    public async Task The_torture_tree_and_what_becomes_of_it_are_saved_and_come_back_identical()
    {
        using var scratch = new TemporaryDirectory();
        var (source, store) = (scratch["source"], scratch["store"]);
        TortureTree.Make(source);

        var first = await SaveAsync(source, store);
        await MirrorProgram.JsonAsync("restore", first, scratch["first"], "--store", store);
        Identical.Assert(source, scratch["first"], "/" + TortureTree.Socket);
        Assert.False((await MirrorProgram.JsonAsync("save", source, "--store", store)).GetProperty("changed").GetBoolean());

        TortureTree.Live(source);
        var second = await SaveAsync(source, store);
        await MirrorProgram.JsonAsync("restore", second, scratch["second"], "--store", store);
        Identical.Assert(source, scratch["second"]);

        // The old state is worked out from the new one now, and the new tree itself lies in the store.
        await MirrorProgram.JsonAsync("restore", first, scratch["again"], "--store", store);
        Identical.Assert(scratch["first"], scratch["again"]);
        Identical.Assert(source, Path.Combine(store, "current"));
        Assert.True((await MirrorProgram.JsonAsync("verify", "--read-data", "--store", store)).GetProperty("ok").GetBoolean());
    }

    private static async Task<string> SaveAsync(string source, string store)
    {
        var saved = await MirrorProgram.JsonAsync("save", source, "--store", store);
        Assert.True(saved.GetProperty("changed").GetBoolean());
        return saved.GetProperty("version").GetProperty("id").GetString()!;
    }
}
