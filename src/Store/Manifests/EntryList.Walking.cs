using System.Runtime.CompilerServices;

namespace Mirror.Store.Manifests;

/// <summary>Going over entries as they lie packed: objects are made of those only that are asked for.</summary>
internal sealed partial class EntryList
{
    /// <summary>What differs between two lists, path by path; pages that both share are passed over.</summary>
    public static void Compare(EntryList left, EntryList right, Action<Entry?, Entry?> differs)
    {
        var leftAt = new Cursor(left, stackalloc byte[EntryPath.MaxLength]);
        var rightAt = new Cursor(right, stackalloc byte[EntryPath.MaxLength]);
        while (!leftAt.AtEnd || !rightAt.AtEnd)
        {
            if (leftAt.PageStart is { } shared && ReferenceEquals(shared, rightAt.PageStart))
            {
                leftAt.SkipPage();
                rightAt.SkipPage();
                continue;
            }

            var order = leftAt.AtEnd ? 1 : rightAt.AtEnd ? -1 : EntryPath.Compare(leftAt.Path, rightAt.Path);
            if (order < 0)
            {
                differs(leftAt.Entry, null);
            }
            else if (order > 0)
            {
                differs(null, rightAt.Entry);
            }
            else if (!leftAt.IsSame(rightAt))
            {
                differs(leftAt.Entry, rightAt.Entry);
            }

            if (order <= 0)
            {
                leftAt.Next();
            }

            if (order >= 0)
            {
                rightAt.Next();
            }
        }
    }

    /// <summary>Goes to entries of the whole list, cheapest from one to the next, and makes objects of those only that are asked for.</summary>
    /// <param name="path">Room for the longest path.</param>
    internal ref struct Walk(EntryList list, Span<byte> path)
    {
        private readonly Span<byte> path = path;
        private EntryPage.Reader reader;
        private int page = -1;

        public readonly ReadOnlySpan<byte> Path => reader.Path;

        public readonly ReadOnlySpan<byte> Name => Path[(Path.LastIndexOf((byte)'/') + 1)..];

        public readonly EntryType Type => reader.Type;

        public readonly Entry Entry => reader.Entry;

        public void MoveTo(int index)
        {
            if (page < 0 || index < list.starts[page] || index >= list.starts[page] + list.pages[page].Count)
            {
                page = list.PageAt(index);
                reader = new EntryPage.Reader(list.pages[page], path);
            }

            reader.MoveTo(index - list.starts[page]);
        }
    }

    /// <summary>Goes over the list from the first entry to the last.</summary>
    private ref struct Cursor
    {
        private readonly EntryList list;
        private readonly Span<byte> path;
        private EntryPage.Reader reader;
        private int page;
        private int at;

        public Cursor(EntryList list, Span<byte> path)
        {
            this.list = list;
            this.path = path;
            Enter();
        }

        public readonly bool AtEnd => page == list.pages.Length;

        public readonly ReadOnlySpan<byte> Path => reader.Path;

        public readonly Entry Entry => reader.Entry;

        /// <summary>The page that begins here.</summary>
        public readonly object? PageStart => at == 0 && !AtEnd ? list.pages[page] : null;

        /// <summary>Of two at the same path.</summary>
        public readonly bool IsSame(in Cursor other) => reader.IsSame(other.reader);

        public void SkipPage()
        {
            page++;
            at = 0;
            Enter();
        }

        public void Next()
        {
            if (++at == list.pages[page].Count)
            {
                SkipPage();
            }
            else
            {
                reader.MoveTo(at);
            }
        }

        private void Enter()
        {
            if (!AtEnd)
            {
                reader = new EntryPage.Reader(list.pages[page], path);
                reader.MoveTo(0);
            }
        }
    }
}
