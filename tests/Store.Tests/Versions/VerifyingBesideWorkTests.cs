using Mirror.Store.Manifests;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Versions;

/// <summary>Verification reads for hours where there is much: others are not kept waiting, and what they do meanwhile is not damage.</summary>
public sealed class VerifyingBesideWorkTests : IDisposable
{
    private const int Files = 300;

    private readonly VersionedSite site = new();

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task However_much_is_damaged_others_have_their_turn_whenever_a_content_is_read()
    {
        await using var store = await NewStoreAsync();
        foreach (var path in Directory.EnumerateFiles(store.CurrentLink))
        {
            var time = File.GetLastWriteTimeUtc(path);
            var bytes = await File.ReadAllBytesAsync(path);
            bytes[0] ^= 1;
            await File.WriteAllBytesAsync(path, bytes);
            File.SetLastWriteTimeUtc(path, time);
        }

        var turns = 0;
        var findings = await store.VerifyAsync(
            readData: true,
            new Calling(_ =>
            {
                // Done at once when nobody has the turn.
                Assert.True(store.NoteAsync(site.Versions[0].Record.Id, $"{++turns}", CancellationToken.None).IsCompletedSuccessfully);
            }),
            CancellationToken.None);

        Assert.True(turns >= Files);
        Assert.Equal(100, findings.Count(finding => finding.What.Contains("/file-", StringComparison.Ordinal)));
        Assert.Single(findings, finding => finding.What.Contains($"{Files - 100} more differences", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(Files / 2)]
    [InlineData(Files)]
    public async Task Versions_that_come_in_the_middle_of_it_are_no_damage(int at)
    {
        await using var store = await NewStoreAsync();
        var reports = 0;
        var findings = await store.VerifyAsync(
            readData: true,
            new Calling(_ =>
            {
                if (++reports == at)
                {
                    // Both slots are made anew.
                    Task.Run(() => NextAsync(store)).GetAwaiter().GetResult();
                    Task.Run(() => NextAsync(store)).GetAwaiter().GetResult();
                }
            }),
            CancellationToken.None);

        Assert.Equal(3, site.Versions.Count);
        Assert.Empty(findings);
        await VersionedSite.AssertCleanAsync(store);
    }

    private async Task<VersionStore> NewStoreAsync()
    {
        var store = await site.OpenAsync();
        await NextAsync(store);
        return store;
    }

    private async Task NextAsync(VersionStore store)
    {
        var number = site.Versions.Count;
        site.Add(new TreeLiteral(Enumerable.Range(0, Files)
            .Select(file => KeyValuePair.Create(EntryPath.Parse($"file-{file:D3}"), TreeLiteral.NewFile(System.Text.Encoding.ASCII.GetBytes($"file {file}, {number}"))))
            .Prepend(KeyValuePair.Create(EntryPath.Root, TreeLiteral.NewDirectory()))));
        await site.StageAllAsync(store, flip: true);
    }

    private sealed class Calling(Action<StoreProgress> call) : IProgress<StoreProgress>
    {
        public void Report(StoreProgress value) => call(value);
    }
}
