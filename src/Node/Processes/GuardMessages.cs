using System.Text.Json;
using System.Text.Json.Serialization;

namespace Mirror.Node.Processes;

// What node and guard say to each other: one JSON object a line, over the guard's standard input and output. Both ends are the same build of the same program,
// so anything unknown means that something else is talking, and is refused.

internal enum GuardVerb
{
    /// <summary>First line: how long a silence may last, and whose apps these are.</summary>
    Hello,

    /// <summary>The node lives; <see cref="GuardRequest.Beat"/> is the monotonic time of sending, so that a beat that lay in the pipe does not count as fresh.</summary>
    Beat,
    Start,
    Stop,

    /// <summary>The node holds a lease: until when, by now.</summary>
    Hold,

    /// <summary>It holds none for the site any more, and no app of its reign runs.</summary>
    Release,

    /// <summary>Stop everything gracefully and end.</summary>
    Quit,
}

internal sealed record GuardRequest(GuardVerb Verb)
{
    public long StallMilliseconds { get; init; }

    public long Beat { get; init; }

    /// <summary>Names the app in this conversation; chosen by the node, never used twice.</summary>
    public long App { get; init; }

    public GuardedProgram? Program { get; init; }

    public GuardedNode? Node { get; init; }

    public SiteHold? Hold { get; init; }

    /// <summary>Whose lease is released.</summary>
    public string? Site { get; init; }
}

internal sealed record GuardedProgram(
    IReadOnlyList<string> Command, string WorkingDirectory, IReadOnlyDictionary<string, string> Environment, string LogPath, long StopMilliseconds, string Site);

internal enum GuardReportKind
{
    Ready,
    Alive,
    Started,
    Refused,
    Ended,
}

internal sealed record GuardReport(GuardReportKind Kind)
{
    public long App { get; init; }
    public int ProcessId { get; init; }
    public int ExitCode { get; init; }
    public string? Why { get; init; }
}

[JsonSourceGenerationOptions(
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(GuardRequest))]
[JsonSerializable(typeof(GuardReport))]
internal sealed partial class GuardJson : JsonSerializerContext
{
    public static byte[] Line(GuardRequest request) => [.. JsonSerializer.SerializeToUtf8Bytes(request, Default.GuardRequest), (byte)'\n'];

    public static byte[] Line(GuardReport report) => [.. JsonSerializer.SerializeToUtf8Bytes(report, Default.GuardReport), (byte)'\n'];

    public static GuardRequest Request(ReadOnlySpan<byte> line) =>
        JsonSerializer.Deserialize(line, Default.GuardRequest) ?? throw new JsonException("An empty request.");

    public static GuardReport Report(ReadOnlySpan<byte> line) =>
        JsonSerializer.Deserialize(line, Default.GuardReport) ?? throw new JsonException("An empty report.");
}
