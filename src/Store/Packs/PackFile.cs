namespace Mirror.Store.Packs;

/// <summary>Gives a synced temporary pack its name: rename, then fsync of the directory.</summary>
public static class PackFile
{
    public static void Publish(string pending, string path) => throw new NotImplementedException();
}
