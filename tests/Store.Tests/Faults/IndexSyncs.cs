using System.Reflection;
using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using Mirror.Store.Versions;
using SQLitePCL;

namespace Mirror.Store.Tests.Faults;

/// <summary>
/// Lets the fsync of an index's log fail, as a disk does: what was written before it is in the file, and the transaction is told that it failed. SQLite is asked for the
/// open log, whose table of methods is exchanged for one with another xSync.
/// </summary>
internal sealed unsafe class IndexSyncs : IDisposable
{
    private const int JournalPointer = 28; // SQLITE_FCNTL_JOURNAL_POINTER
    private const int FailedSync = 1034;   // SQLITE_IOERR_FSYNC
    private const int MethodsSize = 8 + (18 * 8), SyncAt = 8 + (4 * 8);

    private static int left;
    private static delegate* unmanaged[Cdecl]<nint, int, int> original;

    private readonly nint* file;
    private readonly nint before;
    private readonly nint methods;

    public IndexSyncs(VersionStore store)
    {
        var index = typeof(VersionStore).GetField("index", BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(store)!;
        var connection = (SqliteConnection)typeof(VersionIndex).GetField("connection", BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(index)!;
        nint found;
        Assert.Equal(0, FileControl(connection.Handle!.DangerousGetHandle(), "main", JournalPointer, &found));
        file = (nint*)found;
        before = *file;
        methods = Marshal.AllocHGlobal(MethodsSize);
        Buffer.MemoryCopy((void*)before, (void*)methods, MethodsSize, MethodsSize);
        original = (delegate* unmanaged[Cdecl]<nint, int, int>)(*(nint*)(before + SyncAt));
        delegate* unmanaged[Cdecl]<nint, int, int> mine = &Sync;
        *(nint*)(methods + SyncAt) = (nint)mine;
        *file = methods;
    }

    /// <summary>From now on so many syncs fail.</summary>
    public void Fail(int times) => left = times;

    /// <summary>The log must be open still.</summary>
    public void Dispose()
    {
        left = 0;
        *file = before;
        Marshal.FreeHGlobal(methods);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(System.Runtime.CompilerServices.CallConvCdecl)])]
    private static int Sync(nint file, int flags) => left-- > 0 ? FailedSync : original(file, flags);

    [DllImport("e_sqlite3", EntryPoint = "sqlite3_file_control", CallingConvention = CallingConvention.Cdecl)]
    private static extern int FileControl(nint database, [MarshalAs(UnmanagedType.LPUTF8Str)] string name, int operation, void* argument);
}
