using System.Net;
using Microsoft.Extensions.Logging;
using Mirror.Node.Configuration;

namespace Mirror.Proxy.PublicPages;

/// <summary>
/// The user's own page for readers whose site cannot answer (502, 503, 504). The file is read when it is needed, and kept for a moment: it can be exchanged at any time, and in a failure ten thousand readers
/// are not ten thousand reads. Without it, or when it cannot be read, readers get the plain page.
/// </summary>
internal sealed partial class UnavailablePage(MemberConfig member, TimeProvider time, ILogger<UnavailablePage> log)
{
    private const long Largest = 1024 * 1024;
    private static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(2);

    private readonly string? _path = member.Front.UnavailablePage;
    private readonly Lock _lock = new();
    private string? _text;
    private long _readAt;
    private bool _wasRead;
    private bool _told;

    /// <summary>Null when there is none. <c>{title}</c> and <c>{detail}</c> in the file are what the plain page would say.</summary>
    public string? With(string title, string detail) => _path is null
        ? null
        : Text(_path)?.Replace("{title}", WebUtility.HtmlEncode(title), StringComparison.Ordinal).Replace("{detail}", WebUtility.HtmlEncode(detail), StringComparison.Ordinal);

    private string? Text(string path)
    {
        lock (_lock)
        {
            if (_wasRead && time.GetElapsedTime(_readAt) < KeptFor)
            {
                return _text;
            }

            _text = Read(path);
            (_readAt, _wasRead) = (time.GetTimestamp(), true);
            return _text;
        }
    }

    private string? Read(string path)
    {
        try
        {
            var length = new FileInfo(path).Length;
            if (length > Largest)
            {
                Tell(path, $"it has {length} bytes, and {Largest} are the most");
                return null;
            }

            var text = File.ReadAllText(path);
            _told = false;
            return text;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Tell(path, exception.Message);
            return null;
        }
    }

    // Once, until it could be read again.
    private void Tell(string path, string why)
    {
        if (!_told)
        {
            _told = true;
            LogUnread(path, why);
        }
    }

    [LoggerMessage(6035, LogLevel.Warning, "The unavailable-page {Path} cannot be used ({Why}); readers get the plain page. Mend the file; it is read anew each time")]
    private partial void LogUnread(string path, string why);
}
