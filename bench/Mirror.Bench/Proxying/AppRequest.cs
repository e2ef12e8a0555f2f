using System.Buffers.Text;

namespace Mirror.Bench.Proxying;

/// <summary>Where a request ends, for an app that wants to know nothing else of it.</summary>
internal static class AppRequest
{
    /// <summary>Bytes of the first request with its body; null while it is not there whole. Bodies in chunks are not for this app.</summary>
    public static int? LengthOf(ReadOnlySpan<byte> received)
    {
        var head = received.IndexOf("\r\n\r\n"u8);
        if (head < 0)
        {
            return null;
        }

        var name = received[..head].IndexOf("\r\nContent-Length: "u8);
        var body = 0;
        if (name >= 0)
        {
            _ = Utf8Parser.TryParse(received[(name + 18)..], out body, out _);
        }

        var length = head + 4 + body;
        return received.Length >= length ? length : null;
    }
}
