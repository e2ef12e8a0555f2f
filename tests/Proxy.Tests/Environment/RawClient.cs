using System.Net.Sockets;
using System.Text;

namespace Mirror.Proxy.Tests.Environment;

/// <summary>A client that sends its bytes as they are.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly TcpClient _client = new();
    private readonly NetworkStream _stream;

    public RawClient(Uri address)
    {
        _client.Connect(address.Host, address.Port);
        _stream = _client.GetStream();
    }

    public async Task SendAsync(string text) => await _stream.WriteAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Everything until the other side ends the connection; a reset is an end too.</summary>
    public async Task<string> ReadToEndAsync()
    {
        using var late = new CancellationTokenSource(TestEnvironment.Patience, TimeProvider.System);
        var text = new StringBuilder();
        var buffer = new byte[4096];
        try
        {
            while (await _stream.ReadAsync(buffer, late.Token) is > 0 and var count)
            {
                text.Append(Encoding.Latin1.GetString(buffer, 0, count));
            }
        }
        catch (IOException)
        {
            // What came before it is what counts.
        }

        return text.ToString();
    }

    /// <summary>One request, one answer.</summary>
    public static async Task<string> AskAsync(Uri address, string request)
    {
        using var client = new RawClient(address);
        await client.SendAsync(request);
        return await client.ReadToEndAsync();
    }

    public void Dispose()
    {
        _stream.Dispose();
        _client.Dispose();
    }
}
