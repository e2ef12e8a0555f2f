using System.Net.Sockets;
using Grpc.Net.Client;

namespace Mirror.Node.Channels;

/// <summary>The command line's way to the mirror process on its own machine: gRPC over a Unix socket that only its owner may open.</summary>
public static class LocalChannel
{
    /// <exception cref="NotRunningException">Nobody listens there, or this user may not connect.</exception>
    public static GrpcChannel Open(string socketPath)
    {
        var endpoint = Check(socketPath);
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(endpoint, cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        return GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
        {
            HttpHandler = handler,
            DisposeHttpClient = true,
            MaxReceiveMessageSize = 64 * 1024 * 1024,
        });
    }

    /// <summary>True when a process answers at the socket.</summary>
    public static bool Answers(string socketPath)
    {
        try
        {
            Check(socketPath);
            return true;
        }
        catch (NotRunningException)
        {
            return false;
        }
    }

    // A first connection tells at once what a call would only wrap in a status code.
    private static UnixDomainSocketEndPoint Check(string path)
    {
        var state = Path.GetDirectoryName(path);
        try
        {
            var endpoint = new UnixDomainSocketEndPoint(path);
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(endpoint);
            return endpoint;
        }
        catch (ArgumentOutOfRangeException)
        {
            throw new NotRunningException($"{path} is too long for a socket: Unix allows 107 bytes. Choose a shorter `state` directory.");
        }
        catch (SocketException exception) when (exception.SocketErrorCode == SocketError.AccessDenied)
        {
            throw new NotRunningException($"{path} may not be opened by this user. Run the command as the user the mirror process runs as, or as root.");
        }
        catch (SocketException)
        {
            throw new NotRunningException($"No mirror process is running on this machine with state {state}. Start it with `mirror node`, `mirror proxy` or `mirror witness`, or name its state directory.");
        }
    }
}

public sealed class NotRunningException(string message) : Exception(message);
