using CsCheck;
using Microsoft.Win32.SafeHandles;
using Mirror.Store.Tree;
using Mirror.Testing;

namespace Mirror.Store.Tests.Tree;

public sealed class HoleStreamTests
{
    private static readonly Gen<(int Kind, int At, int Length)> operation = Gen.Select(Gen.Int[0, 4], Gen.Int[0, 40_000], Gen.Int[0, 20_000]);

    [Fact]
    public void It_behaves_like_any_stream_whatever_is_written_where() => operation.Array[0, 20].Sample(
        operations =>
        {
            using var directory = new TemporaryDirectory();
            using var model = new MemoryStream();
            using var stream = new HoleStream(Open(directory["f"]));
            foreach (var (kind, at, length) in operations)
            {
                // An empty write does nothing to a file, wherever it stands; a stream in memory grows to there.
                if (length > 0 || kind is not (1 or 2))
                {
                    Do(model, kind, at, length);
                }

                Do(stream, kind, at, length);
                Assert.Equal((model.Length, model.Position), (stream.Length, stream.Position));
            }

            var read = new byte[model.Length];
            stream.Position = 0;
            stream.ReadExactly(read);
            Assert.Equal(model.ToArray(), read);
            Assert.Equal(model.Length, new FileInfo(directory["f"]).Length);
        },
        iter: 150, threads: 1);

    private static void Do(Stream stream, int kind, int at, int length)
    {
        switch (kind)
        {
            case 0:
                stream.Position = at;
                break;
            case 1:
                stream.Write(new byte[length]);
                break;
            case 2:
                stream.Write([.. Enumerable.Range(0, length).Select(static value => (byte)(value % 251))]);
                break;
            case 3:
                stream.Write([.. new byte[length], 1, .. new byte[at]]);
                break;
            default:
                stream.Seek(0, SeekOrigin.End);
                break;
        }
    }

    private static SafeFileHandle Open(string path) => File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite);
}
