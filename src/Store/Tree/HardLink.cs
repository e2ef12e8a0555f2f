using System.Text;

namespace Mirror.Store.Tree;

/// <summary>A second name for a file; the runtime makes none.</summary>
public static class HardLink
{
    /// <summary>Both in one file system. The new name must not exist.</summary>
    /// <exception cref="IOException"/>
    public static void Create(string existing, string name)
    {
        var error = Posix.Link(Posix.CurrentDirectory, Encoding.UTF8.GetBytes(existing), Posix.CurrentDirectory, Encoding.UTF8.GetBytes(name));
        if (error < 0)
        {
            PosixError.Throw("give a second name to", existing, -error);
        }
    }
}
