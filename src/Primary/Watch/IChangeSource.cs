namespace Mirror.Primary.Watch;

/// <summary>One of the kernel's ways of telling, opened on a tree that is there. It is used by one thread at a time, and is thrown away with the tree or on a fault.</summary>
internal interface IChangeSource : IDisposable
{
    /// <summary>For people.</summary>
    string Name { get; }

    /// <summary>Readable when there is something to drain.</summary>
    int Descriptor { get; }

    /// <summary>False while watches are being set: what happens where there is none yet is not told.</summary>
    bool IsWhole { get; }

    /// <summary>Why hints are incomplete for as long as this source is used, and what helps; null when they are not.</summary>
    string? Limit { get; }

    /// <summary>Why this source has to be given up; null while it works.</summary>
    string? Fault { get; }

    /// <summary>A directory was moved or removed somewhere: the root's path may lead elsewhere now. Asking answers once.</summary>
    bool TakeRootSuspicion();

    /// <summary>Tells all that was queued when this was called.</summary>
    void Drain(TouchCollector into);

    /// <summary>Does a slice of work that must be done beside draining.</summary>
    /// <returns>Milliseconds until the next slice; null when there is none.</returns>
    int? Work(TouchCollector into);
}
