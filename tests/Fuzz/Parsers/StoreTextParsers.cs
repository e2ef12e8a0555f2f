using System.Security.Cryptography;
using System.Text;
using Mirror.Store.Manifests;
using Mirror.Store.Rebuilding;
using Mirror.Store.Slots;
using Mirror.Store.Versions;

namespace Mirror.Fuzz.Parsers;

/// <summary>The facts beside an index that is lost: refused is null with a reason, never an exception.</summary>
internal sealed class FactsParser : Parser
{
    public FactsParser()
        : base("facts") => Seeds =
        [
            .. new[]
            {
                new StoreFacts("wiki", StoreMode.Holding, "", new() { ["1.2"] = "unhealthy: no answer", ["1.3"] = "diverged: node-2 took over" }),
                new StoreFacts("wiki", StoreMode.CapturingRoot, "/srv/wiki", []),
            }.Select(facts => Encoding.UTF8.GetBytes(facts.Text())),
        ];

    public override IReadOnlyList<byte[]> Seeds { get; }

    public override byte[] Mended(byte[] input)
    {
        var line = Encoding.UTF8.GetString(input).Split('\n')[0];
        return Encoding.UTF8.GetBytes($"{line}\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(line)))}\n");
    }

    public override int Read(byte[] input)
    {
        Scratch("facts").Write(input);
        if (StoreFacts.Read(Scratch("facts").Directory, out var fault) is not { } facts)
        {
            Promise(fault is not null, "facts are refused without a reason");
            return 0;
        }

        Promise(fault is null && facts.Site.Length > 0 && Enum.IsDefined(facts.Mode), "facts that say nothing");
        Promise(facts.Notes.All(note => note.Value is not null) && facts.NoteOf(new VersionId(1, 2)) is not null, "a note that is none");
        Scratch("facts").Write(Encoding.UTF8.GetBytes(facts.Text()));
        Promise(StoreFacts.Read(Scratch("facts").Directory, out _)?.Text() == facts.Text(), "facts cannot be said again");
        return HashCode.Combine(facts.Mode, Rough(facts.Notes.Count));
    }
}

/// <summary>What lies beside a slot and says what it holds: refused is null, never an exception.</summary>
internal sealed class MarkerParser : Parser
{
    private readonly SlotPair slots;

    public MarkerParser()
        : base("marker")
    {
        var directory = Scratch("slots/a.version").Directory;
        slots = new SlotPair(directory, new StoreDisk());
        Directory.CreateDirectory(slots.SlotsDirectory);
        var root = ContentHash.From(SHA256.HashData("root"u8));
        var version = new VersionRecord("wiki", new(1, 2), new(1, 1), DateTimeOffset.UnixEpoch, "alpha", root, 3, 4, ["main"], default);
        slots.WriteMarker("a", version with { Chain = VersionRecord.ChainOf(root, version) });
        Seeds = [File.ReadAllBytes(Scratch("slots/a.version").Path), Encoding.UTF8.GetBytes($$"""{"Version":"1.2","Root":"{{root}}","Chain":"{{root}}"}""")];
    }

    public override IReadOnlyList<byte[]> Seeds { get; }

    public override int Read(byte[] input)
    {
        Scratch("slots/a.version").Write(input);
        if (slots.ReadMarker("a") is not { } marker)
        {
            return 0;
        }

        var record = marker.ReadRecord();
        Promise(record is null || (record.Id.ToString() == marker.Version && record.Root.ToString() == marker.Root && record.Chain.ToString() == marker.Chain), "a record of another version");
        return HashCode.Combine(record is null, marker.Record is null);
    }
}
