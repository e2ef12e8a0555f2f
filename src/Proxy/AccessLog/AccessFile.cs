using System.Globalization;
using Mirror.Node.Configuration;

namespace Mirror.Proxy.AccessLog;

/// <summary>The file that lines go to, or standard output. When it is large enough it gets a number; when somebody else moved it away, a new one begins.</summary>
internal sealed class AccessFile(AccessLogConfig config) : IDisposable
{
    private Stream? _stream;

    /// <exception cref="IOException">It cannot be written to.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written to.</exception>
    public void Write(ReadOnlySpan<byte> lines)
    {
        if (config.File == AccessLogConfig.StandardOutput)
        {
            _stream ??= Console.OpenStandardOutput();
            _stream.Write(lines);
            return;
        }

        if (_stream is not null && !File.Exists(config.File))
        {
            Close();
        }

        _stream ??= Open();
        _stream.Write(lines);
        if (_stream.Length >= config.Rotate)
        {
            Close();
            Rotate();
        }
    }

    /// <summary>After a failure: the next write begins anew.</summary>
    public void Close()
    {
        _stream?.Dispose();
        _stream = null;
    }

    public void Dispose() => Close();

    private FileStream Open()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(config.File)!);
        return new FileStream(config.File, new FileStreamOptions
        {
            Mode = FileMode.Append,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead,
        });
    }

    private void Rotate()
    {
        if (config.Keep == 0)
        {
            File.Delete(config.File);
            return;
        }

        for (var number = config.Keep - 1; number > 0; number--)
        {
            if (File.Exists(Numbered(number)))
            {
                File.Move(Numbered(number), Numbered(number + 1), overwrite: true);
            }
        }

        File.Move(config.File, Numbered(1), overwrite: true);
    }

    private string Numbered(int number) => string.Create(CultureInfo.InvariantCulture, $"{config.File}.{number}");
}
