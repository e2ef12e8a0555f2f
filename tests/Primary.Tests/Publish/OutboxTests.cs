using System.Security.Cryptography;
using Mirror.Primary.Capture;
using Mirror.Primary.Publish;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Publish;

public sealed class OutboxTests
{
    [Fact]
    public async Task The_chain_leads_from_nothing_to_the_head_and_survives_a_restart()
    {
        await using var site = await LiveSite.MakeAsync();
        var captured = await ThreeAsync(site);

        var outbox = new Outbox(site.Store.OutboxDirectory, site.Store.Head);

        Assert.Equal(["1.1", "1.2", "1.3"], Chain(outbox));
        Assert.Equal(captured[1].Version!.Root, outbox.After(new(1, 1))!.ToRoot);
        Assert.Null(outbox.After(new(1, 3)));
        Assert.Null(outbox.After(new(7, 7)));
    }

    [Fact]
    public async Task What_everybody_has_goes_but_the_newest_stays()
    {
        await using var site = await LiveSite.MakeAsync();
        await ThreeAsync(site);
        var outbox = new Outbox(site.Store.OutboxDirectory, site.Store.Head);

        outbox.Trim(new(1, 1));
        Assert.Null(outbox.After(default));
        Assert.Equal(["1.1-1.2.pack", "1.2-1.3.pack"], site.Outbox());

        outbox.Trim(new(9, 9));
        Assert.Equal(["1.2-1.3.pack"], site.Outbox());
        Assert.NotNull(outbox.After(new(1, 2)));
    }

    [Fact]
    public async Task Who_send_a_pack_at_the_same_time_share_its_digest_and_who_comes_later_reads_anew()
    {
        await using var site = await LiveSite.MakeAsync();
        await ThreeAsync(site);
        var pack = new Outbox(site.Store.OutboxDirectory, site.Store.Head).After(new(1, 1))!;
        var bytes = await File.ReadAllBytesAsync(pack.Path);

        var first = pack.BeginSending();
        var second = pack.BeginSending();
        Assert.Same(first.Sha256, second.Sha256);
        Assert.Equal(SHA256.HashData(bytes), await first.Sha256);
        first.Dispose();
        using (var third = pack.BeginSending())
        {
            Assert.Same(second.Sha256, third.Sha256);
            second.Dispose();
        }

        // What has rotted is found by its checksums on a replica; under the old digest it would be received for ever.
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(pack.Path, bytes);
        using var later = pack.BeginSending();
        Assert.Equal(SHA256.HashData(bytes), await later.Sha256);
    }

    [Fact]
    public async Task A_pack_that_does_not_follow_is_refused()
    {
        await using var site = await LiveSite.MakeAsync();
        await ThreeAsync(site);
        var outbox = new Outbox(site.Store.OutboxDirectory, site.Store.Head);

        Assert.Throws<InvalidOperationException>(() => outbox.Add(new OutboxPack(new(1, 2), default, new(1, 4), default, "nowhere", 1)));
    }

    [Fact]
    public async Task Strays_and_damaged_packs_go_and_the_chain_begins_after_the_damage()
    {
        await using var site = await LiveSite.MakeAsync();
        var captured = await ThreeAsync(site);
        var directory = site.Store.OutboxDirectory;
        await File.WriteAllTextAsync(Path.Combine(directory, "fill-1.tmp"), "interrupted");
        await File.WriteAllTextAsync(Path.Combine(directory, "notes.txt"), "whose?");
        await File.WriteAllTextAsync(Path.Combine(directory, "1.3-1.4.pack"), "");
        File.Copy(captured[1].Pack!, Path.Combine(directory, "copy.pack"));
        await using (var first = File.OpenWrite(captured[0].Pack!))
        {
            first.SetLength(first.Length / 2);
        }

        var outbox = new Outbox(directory, site.Store.Head);

        Assert.Null(outbox.After(default));
        Assert.Equal(2, site.Outbox().Length);
        Assert.Equal(new VersionId(1, 3), outbox.After(new(1, 2))!.To);
        Assert.Equal(new VersionId(1, 2), outbox.After(new(1, 1))!.To);
    }

    [Fact]
    public async Task A_pack_of_a_version_that_was_never_recorded_goes_also_when_its_name_was_given_again()
    {
        await using var site = await LiveSite.MakeAsync();
        await ThreeAsync(site);
        site.Write("page", "never recorded");
        var request = new CaptureRequest(site.Root, null, PathFilter.Nothing, "a", 1, [], false);
        var lost = await SiteCapture.CaptureAsync(site.Store, request, site.Files.Make("aside"), LiveSite.Later, CancellationToken.None);
        site.Write("page", "recorded");
        await site.CaptureAsync();
        File.Copy(lost.Pack!, Path.Combine(site.Store.OutboxDirectory, "also-1.4.pack"));

        var outbox = new Outbox(site.Store.OutboxDirectory, site.Store.Head);

        Assert.Equal(site.Store.Head!.Root, outbox.After(new(1, 3))!.ToRoot);
        Assert.DoesNotContain("also-1.4.pack", site.Outbox());
        Assert.Equal(4, site.Outbox().Length);
    }

    private static async Task<CaptureResult[]> ThreeAsync(LiveSite site)
    {
        var captured = new List<CaptureResult>();
        for (var number = 1; number <= 3; number++)
        {
            site.Write("page", $"version {number}");
            captured.Add(await site.CaptureAsync());
        }

        return [.. captured];
    }

    private static List<string> Chain(Outbox outbox)
    {
        var names = new List<string>();
        for (var pack = outbox.After(default); pack is not null; pack = outbox.After(pack.To))
        {
            Assert.Equal(new FileInfo(pack.Path).Length, pack.Length);
            names.Add(pack.To.ToString());
        }

        return names;
    }
}
