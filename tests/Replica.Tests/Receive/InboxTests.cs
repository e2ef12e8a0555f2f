using System.Security.Cryptography;
using Mirror.Replica.Receive;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Replica.Tests.Receive;

public sealed class InboxTests : IDisposable
{
    private readonly SampleSite site = new();

    private string Directory => site.Files["inbox"];

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task A_chain_that_was_received_is_waiting_again_after_a_restart()
    {
        var (one, two, three) = (site.Add("1"), site.Add("2"), site.Add("3"));
        var inbox = new Inbox(Directory, one);
        inbox.Accept(await site.PartAsync(inbox, one, two));
        inbox.Accept(await site.PartAsync(inbox, two, three));

        var again = new Inbox(Directory, one);

        Assert.Equal((three.Id, three.Root), again.Stored);
        Assert.Equal([two.Id, three.Id], Waiting(again));
    }

    [Fact]
    public async Task What_the_store_has_staged_already_is_not_waiting_but_its_file_stays()
    {
        var (one, two, three) = (site.Add("1"), site.Add("2"), site.Add("3"));
        var inbox = new Inbox(Directory, one);
        inbox.Accept(await site.PartAsync(inbox, one, two));
        inbox.Accept(await site.PartAsync(inbox, two, three));

        var again = new Inbox(Directory, two);

        Assert.Equal([three.Id], Waiting(again));
        Assert.Equal(2, System.IO.Directory.GetFiles(Directory, "*.pack").Length);
    }

    [Fact]
    public async Task A_pack_that_was_damaged_on_disk_is_dropped_with_what_leads_on_from_it()
    {
        var (one, two, three) = (site.Add("1"), site.Add("2"), site.Add("3"));
        var inbox = new Inbox(Directory, one);
        inbox.Accept(await site.PartAsync(inbox, one, two));
        var damaged = inbox.Peek()!.Path;
        inbox.Accept(await site.PartAsync(inbox, two, three));
        File.WriteAllBytes(damaged, File.ReadAllBytes(damaged)[..^5]);

        var again = new Inbox(Directory, one);

        Assert.Equal((one.Id, one.Root), again.Stored);
        Assert.Null(again.Peek());
        Assert.False(File.Exists(damaged));
    }

    [Fact]
    public async Task A_fill_takes_the_place_of_what_was_waiting_also_after_a_restart()
    {
        var (one, two) = (site.Add("1"), site.Add("2"));
        var other = site.Add("another reign", new VersionId(2, 1));
        var inbox = new Inbox(Directory, one);
        inbox.Accept(await site.PartAsync(inbox, one, two));

        inbox.Accept(await site.PartAsync(inbox, null, other));

        Assert.Equal((other.Id, other.Root), inbox.Stored);
        Assert.Equal([other.Id], Waiting(inbox));
        Assert.Equal([other.Id], Waiting(new Inbox(Directory, one)));
    }

    [Fact]
    public async Task A_chain_leads_on_from_a_fill_after_a_restart()
    {
        var (one, two) = (site.Add("1"), site.Add("2"));
        var inbox = new Inbox(Directory, null);
        inbox.Accept(await site.PartAsync(inbox, null, one));
        inbox.Accept(await site.PartAsync(inbox, one, two));

        Assert.Equal([one.Id, two.Id], Waiting(new Inbox(Directory, null)));
    }

    [Fact]
    public async Task Of_two_packs_that_lead_on_from_the_head_the_one_of_the_newer_reign_counts()
    {
        var one = site.Add("1");
        var two = site.Add("2");
        var reign = site.Add("another reign", new VersionId(2, 1));
        var inbox = new Inbox(Directory, one);
        inbox.Accept(await site.PartAsync(inbox, one, two));
        File.Move(await site.PackAsync(one, reign), Path.Combine(Directory, $"{one.Id}-{reign.Id}.pack"));

        Assert.Equal([reign.Id], Waiting(new Inbox(Directory, one)));
    }

    [Fact]
    public async Task A_refused_pack_goes_with_what_leads_on_from_it_and_what_was_staged_before_it_stays_for_a_recovery()
    {
        var (one, two, three, four) = (site.Add("1"), site.Add("2"), site.Add("3"), site.Add("4"));
        var inbox = new Inbox(Directory, one);
        inbox.Accept(await site.PartAsync(inbox, one, two));
        inbox.Accept(await site.PartAsync(inbox, two, three));
        inbox.Accept(await site.PartAsync(inbox, three, four));
        inbox.Staged(inbox.Peek()!);

        // The store had to fall back from two to one while it tried three.
        inbox.Refuse(inbox.Peek()!, one);

        Assert.Equal((two.Id, two.Root), inbox.Stored);
        Assert.Equal([two.Id], Waiting(inbox));
        Assert.Single(System.IO.Directory.GetFiles(Directory));
    }

    [Fact]
    public async Task A_pack_that_leads_from_elsewhere_is_refused_and_removed()
    {
        var (one, two, three) = (site.Add("1"), site.Add("2"), site.Add("3"));
        var inbox = new Inbox(Directory, one);
        var part = await site.PartAsync(inbox, two, three);

        var refusal = Assert.Throws<InvalidDataException>(() => inbox.Accept(part));

        Assert.Contains("leads from 1.2; the newest version stored is 1.1", refusal.Message, StringComparison.Ordinal);
        Assert.Equal((one.Id, one.Root), inbox.Stored);
        Assert.Empty(System.IO.Directory.GetFiles(Directory));
    }

    [Fact]
    public void What_is_no_pack_is_refused_and_removed_so_that_it_is_not_resumed_for_ever()
    {
        var one = site.Add("1");
        var inbox = new Inbox(Directory, one);
        var part = inbox.PartOf(one.Id, one.Id.Next);
        File.WriteAllBytes(part, RandomNumberGenerator.GetBytes(4000));

        Assert.Throws<PackFormatException>(() => inbox.Accept(part));

        Assert.False(File.Exists(part));
        Assert.Null(inbox.Peek());
    }

    [Fact]
    public async Task A_part_resumes_at_its_last_whole_frame_and_parts_of_other_packs_are_removed()
    {
        var one = site.Add("1");
        var two = site.Add(Mirror.Testing.Trees.TreeLiteral.Empty.File("big.bin", RandomNumberGenerator.GetBytes(3_000_000)));
        var inbox = new Inbox(Directory, one);
        var part = await site.PartAsync(inbox, one, two);
        var whole = File.ReadAllBytes(part);
        File.WriteAllBytes(part, whole[..(whole.Length / 2)]);
        var foreign = inbox.PartOf(new VersionId(7, 7), new VersionId(7, 8));
        File.WriteAllBytes(foreign, whole);

        var (to, offset) = inbox.Partial();

        Assert.Equal(two.Id, to);
        Assert.InRange(offset, 1, whole.Length / 2);
        Assert.Equal(PackReader.SafePrefix(part), offset);
        Assert.False(File.Exists(foreign));
    }

    [Fact]
    public void A_part_of_which_nothing_arrived_resumes_at_nothing()
    {
        var one = site.Add("1");
        var inbox = new Inbox(Directory, one);
        File.WriteAllBytes(inbox.PartOf(one.Id, one.Id.Next), []);

        Assert.Equal((one.Id.Next, 0L), inbox.Partial());
    }

    private static List<VersionId> Waiting(Inbox inbox)
    {
        var found = new List<VersionId>();
        while (inbox.Peek() is { } pack)
        {
            found.Add(pack.To);
            inbox.Staged(pack);
        }

        return found;
    }
}
