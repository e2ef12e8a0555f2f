using System.Security.Cryptography;
using System.Text;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Proxy.Routing;
using Mirror.Store.Slots;

namespace Mirror.Fuzz.Parsers;

/// <summary>The store's journal after a crash, or after a disk was ill.</summary>
internal sealed class JournalParser : Parser
{
    private readonly Journal journal;

    public JournalParser()
        : base("journal", typeof(JournalDamagedException))
    {
        journal = new Journal(Scratch("journal").Directory, new StoreDisk());
        Seeds =
        [
            .. new[]
            {
                new JournalEntry(JournalPhase.Preparing, Guid.Empty, "a", "1.2", ["1.1-1.2.pack"]),
                new JournalEntry(JournalPhase.Applying, Guid.AllBitsSet, "b", "1.3", []),
                new JournalEntry(JournalPhase.Adopting, Guid.AllBitsSet, "a", "", ["x"], "/srv/wiki"),
            }.Select(Written),
        ];
    }

    public override IReadOnlyList<byte[]> Seeds { get; }

    public override byte[] Mended(byte[] input)
    {
        var line = Encoding.UTF8.GetString(input).Split('\n')[0];
        return Encoding.UTF8.GetBytes($"{line}\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(line)))}\n");
    }

    public override int Read(byte[] input)
    {
        Scratch("journal").Write(input);
        if (journal.Read() is not { } entry)
        {
            throw new BrokenPromiseException("a journal that is there is not seen");
        }

        Promise(entry.Slot is "a" or "b", "a slot that is none");
        Promise(entry.To is not null && Enum.IsDefined(entry.Phase), "an entry that says nothing");
        Promise(entry.Packs is not null && entry.Packs.All(name => name is not null && !name.Contains('/') && name is not (".." or "." or "")), "a pack's name that leads elsewhere");
        return HashCode.Combine(entry.Phase, entry.Packs!.Count, entry.Root is null);
    }

    private byte[] Written(JournalEntry entry)
    {
        journal.Write(entry);
        return File.ReadAllBytes(Scratch("journal").Path);
    }
}

/// <summary>What a voter remembers.</summary>
internal sealed class VoteParser : Parser
{
    private static readonly SiteRules rules = new("wiki", "alpha", ["alpha", "beta"], ["alpha", "beta", "gamma"], true, TimeSpan.FromSeconds(4));
    private readonly VoterFile voter;

    public VoteParser()
        : base("vote", typeof(DamagedFileException))
    {
        voter = new VoterFile(Scratch("wiki").Path);
        Seeds =
        [
            .. new[] { new VoterState(3, "alpha", false, null, TimeSpan.FromSeconds(4), default), new VoterState(ulong.MaxValue, "beta", true, "alpha", TimeSpan.Zero, default) }.Select(Written),
        ];
    }

    public override IReadOnlyList<byte[]> Seeds { get; }

    public override byte[] Mended(byte[] input) => CheckedFiles.Mended(input, "mirror vote 1");

    public override int Read(byte[] input)
    {
        Scratch("wiki").Write(input);
        var state = voter.Load(rules, TimeSpan.FromDays(30)) ?? throw new BrokenPromiseException("a file that is there is not seen");
        Promise(state.Epoch > 0 && state.Holder is { Length: > 0 }, "a vote for nobody");
        return HashCode.Combine(state.GivenBack, state.Successor is null);
    }

    private byte[] Written(VoterState state)
    {
        voter.Save(state);
        return File.ReadAllBytes(Scratch("wiki").Path);
    }
}

/// <summary>The highest epoch a receiver admitted.</summary>
internal sealed class EpochParser() : Parser("epoch", typeof(DamagedFileException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } = [CheckedFiles.Mended("\n17\n"u8.ToArray(), "mirror epoch 1"), CheckedFiles.Mended("\n0\n"u8.ToArray(), "mirror epoch 1")];

    public override byte[] Mended(byte[] input) => CheckedFiles.Mended(input, "mirror epoch 1");

    public override int Read(byte[] input)
    {
        Scratch("wiki").Write(input);
        return Rough((long)(new EpochGate(Scratch("wiki").Directory).Highest("wiki") >> 1));
    }
}

/// <summary>The same of a proxy.</summary>
internal sealed class ProxyEpochParser() : Parser("proxy-epoch", typeof(InvalidDataException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } = ["0"u8.ToArray(), "17"u8.ToArray(), "18446744073709551615\n"u8.ToArray()];

    public override int Read(byte[] input)
    {
        Scratch("wiki.epoch").Write(input);
        return Rough((long)(new EpochFile(Scratch("wiki.epoch").Directory).Read("wiki") >> 1));
    }
}

/// <summary>What a member says of itself in the catalogue: refused is null, never an exception.</summary>
internal sealed class HoldingParser() : Parser("holding")
{
    public override IReadOnlyList<byte[]> Seeds { get; } =
    [
        .. new SiteHolding[]
        {
            new("wiki", "alpha", SiteRole.Primary, 3, new(3, 4), new(3, 4), new(3, 3), "10.0.0.1:20000", new DateTimeOffset(2024, 1, 2, 3, 4, 5, TimeSpan.Zero), "serving", [1, 2, 3]) { Base = new(2, 9) },
            new("wiki", "alpha", default, 0, default, default, default, null, null, "", []),
        }.Select(static holding => Encoding.UTF8.GetBytes(HoldingText.Write(holding))),
    ];

    public override int Read(byte[] input)
    {
        var holding = HoldingText.Read(Encoding.UTF8.GetString(input), "wiki", "alpha");
        if (holding is null)
        {
            return 0;
        }

        Promise(holding is { Site: "wiki", Node: "alpha" }, "a holding of somebody else");
        Promise(HoldingText.Read(HoldingText.Write(holding), "wiki", "alpha") is not null, "a holding cannot be said again");
        return HashCode.Combine(holding.Role, holding.AppAddress is null, holding.NewestTime is null, Rough(holding.ProcessIds.Count));
    }
}

/// <summary>Three lines, the last of them the SHA-256 of the others.</summary>
internal static class CheckedFiles
{
    public static byte[] Mended(byte[] input, string kind)
    {
        var lines = Encoding.UTF8.GetString(input).Split('\n');
        var said = $"{kind}\n{(lines.Length > 1 ? lines[1] : "")}\n";
        return Encoding.UTF8.GetBytes($"{said}{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(said)))}\n");
    }
}
