namespace Mirror.Proxy.Holding;

/// <summary>How many requests may wait at once, over all sites of this proxy. A held request costs a connection and no body, so a count bounds the memory too.</summary>
internal sealed class HoldingRoom(int places)
{
    private int _taken;

    public int Taken => Volatile.Read(ref _taken);

    public bool TryTake()
    {
        if (Interlocked.Increment(ref _taken) <= places)
        {
            return true;
        }

        Interlocked.Decrement(ref _taken);
        return false;
    }

    public void Return() => Interlocked.Decrement(ref _taken);
}
