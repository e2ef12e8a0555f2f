using System.Net.Sockets;

namespace Mirror.Testing.Trees;

/// <summary>
/// A tree with everything a file system can hold, made by a script (torture-tree.sh beside this file), and what the years make of it. Besides there is a socket, which by rule is part of no version.
/// </summary>
public static class TortureTree
{
    public const string Socket = "types/socket";

    private static readonly string script = Checkout.Path("tests", "Testing", "Trees", "torture-tree.sh");

    /// <param name="directory">Empty or absent.</param>
    public static void Make(string directory)
    {
        Shell.Run("bash \"$1\" \"$2\"", script, directory);
        Listen(Path.Combine(directory, Socket));
    }

    /// <summary>Changes something of every kind.</summary>
    public static void Live(string directory)
    {
        File.Delete(Path.Combine(directory, Socket));
        Shell.Run("bash \"$1\" --life \"$2\"", script, directory);
    }

    // The name stays when nobody listens any more.
    private static void Listen(string path)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
    }
}
