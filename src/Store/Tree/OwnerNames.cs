using System.Runtime.InteropServices;
using System.Text;

namespace Mirror.Store.Tree;

/// <summary>
/// Names of users and groups and back, as the system's own directory knows them (files, LDAP, …: whatever <c>getpwuid_r</c> asks). Remembered for as long as this
/// object lives: one scan, one writer. Not for several threads.
/// </summary>
internal sealed unsafe partial class OwnerNames
{
    private const int LargestRecord = 1 << 20;

    private readonly Dictionary<uint, string> users = [];
    private readonly Dictionary<uint, string> groups = [];
    private readonly Dictionary<string, uint?> userIds = [];
    private readonly Dictionary<string, uint?> groupIds = [];

    /// <summary>Empty when the system knows none.</summary>
    public string User(uint id) => Remember(users, id, static id => ById(id, &getpwuid_r));

    public string Group(uint id) => Remember(groups, id, static id => ById(id, &getgrgid_r));

    /// <summary>The id the name has here; without a name, or when it is unknown here, the id as recorded.</summary>
    public uint UserId(string name, uint recorded) =>
        name.Length == 0 ? recorded : Remember(userIds, name, static name => ByName(name, &getpwnam_r)) ?? recorded;

    public uint GroupId(string name, uint recorded) =>
        name.Length == 0 ? recorded : Remember(groupIds, name, static name => ByName(name, &getgrnam_r)) ?? recorded;

    private static TValue Remember<TKey, TValue>(Dictionary<TKey, TValue> known, TKey key, Func<TKey, TValue> find)
        where TKey : notnull
    {
        if (!known.TryGetValue(key, out var value))
        {
            value = find(key);
            known.Add(key, value);
        }

        return value;
    }

    /// <summary>The start of both <c>struct passwd</c> and <c>struct group</c>: name, password, number.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct Record
    {
        public byte* Name;
        public byte* Password;
        public uint Id;
    }

    private static string ById(uint id, delegate* managed<uint, Record*, byte*, nuint, Record**, int> call)
    {
        string name = "";
        Ask($"the name of user or group {id}", (record, buffer, length) =>
        {
            Record* found;
            var error = call(id, (Record*)record, (byte*)buffer, length, &found);
            if (error == 0 && found is not null)
            {
                name = Marshal.PtrToStringUTF8((nint)found->Name) ?? "";
            }

            return error;
        });
        return name;
    }

    private static uint? ByName(string name, delegate* managed<byte*, Record*, byte*, nuint, Record**, int> call)
    {
        uint? id = null;
        var bytes = Encoding.UTF8.GetBytes(name + "\0");
        Ask($"the number of user or group \"{name}\"", (record, buffer, length) =>
        {
            fixed (byte* start = bytes)
            {
                Record* found;
                var error = call(start, (Record*)record, (byte*)buffer, length, &found);
                if (error == 0 && found is not null)
                {
                    id = found->Id;
                }

                return error;
            }
        });
        return id;
    }

    private static void Ask(string what, Func<nint, nint, nuint, int> call)
    {
        for (var length = 1024; ; length *= 4)
        {
            var buffer = new byte[length];
            Record record = default;
            int error;
            fixed (byte* start = buffer)
            {
                error = call((nint)(&record), (nint)start, (nuint)length);
            }

            switch (error)
            {
                // Several of these mean just "there is none", depending on the source that was asked.
                case 0 or Errno.NotFound or Errno.NoSuchProcess or Errno.BadDescriptor or Errno.NotPermitted:
                    return;
                case Errno.Interrupted:
                    length /= 4;
                    break;
                case Errno.OutOfRange when length < LargestRecord:
                    break;
                default:
                    throw new IOException($"The system's user directory does not tell {what}: {PosixError.Text(error)}.", error);
            }
        }
    }

    [LibraryImport("libc")] private static partial int getpwuid_r(uint id, Record* record, byte* buffer, nuint length, Record** result);
    [LibraryImport("libc")] private static partial int getgrgid_r(uint id, Record* record, byte* buffer, nuint length, Record** result);
    [LibraryImport("libc")] private static partial int getpwnam_r(byte* name, Record* record, byte* buffer, nuint length, Record** result);
    [LibraryImport("libc")] private static partial int getgrnam_r(byte* name, Record* record, byte* buffer, nuint length, Record** result);
}
